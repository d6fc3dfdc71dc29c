// Package faults does to the real binary what the world does to it: disks that are
// full, read-only or damaged, clocks that are set, processes that stand still, servers
// that are gone, descriptors that run out, and more work than anybody meant. Each test
// holds what a user relies on: exact totals, the exit code, one clear line, and that
// the run can be gone on with. All of it is in tests; the long variants need
// RAMIFY_SOAK=1 (make soak), the longest RAMIFY_SOAK_FOR=1h (make soak-hour).
package faults

// Package bench holds the benchmarks that set Ramify beside its peers, and the
// engine beside its own goals: `make bench`. docs/benchmarks.md says what they
// leave out.
package bench

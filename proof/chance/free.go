//go:build !exact

// Package chance is what the runtime leaves to chance: the order of maps and selects,
// and all numbers of math/rand/v2. In a program built by package exact a seed decides
// it; in any other it cannot be had.
package chance

// Exact tells that Seed decides all chance.
const Exact = false

// Seed begins the sequence of all chance there is in the program.
func Seed(uint64) {}

// Free gives chance back to the runtime.
func Free() {}

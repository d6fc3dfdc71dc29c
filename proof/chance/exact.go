//go:build exact

package chance

import _ "unsafe" // for go:linkname

//go:linkname exactSeed runtime.exactSeed
func exactSeed(on bool, seed uint64)

// Exact tells that Seed decides all chance.
const Exact = true

// Seed begins the sequence of all chance there is in the program.
func Seed(seed uint64) { exactSeed(true, seed) }

// Free gives chance back to the runtime.
func Free() { exactSeed(false, 0) }

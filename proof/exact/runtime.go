package exact

// runtimeEdits make of the runtime's chance a sequence that Seed begins. Chance is in
// math/rand/v2, in the order of maps, in that in which select looks at its
// channels, in that of timers of one moment in a bubble of testing/synctest, and in
// the order in which a context cancels others: by their addresses.
func runtimeEdits() []Edit {
	return []Edit{
		{
			"std/runtime/rand.go",
			"	mp := getg().m\n	c := &mp.chacha8\n",
			"	if exactOn {\n		return exactMaps\n	}\n	mp := getg().m\n	c := &mp.chacha8\n",
		},
		{
			"std/runtime/rand.go",
			"	mp.cheaprand = rand()\n",
			"	mp.cheaprand = bootstrapRand()\n",
		},
		{
			// The hash function of maps, and where the heap begins.
			"std/runtime/rand.go",
			"	globalRand.state.Init(*seed)\n	clear(seed[:])\n",
			"	for i := range seed {\n		seed[i] = byte(i + 1)\n	}\n	globalRand.state.Init(*seed)\n	clear(seed[:])\n",
		},
		{
			"std/runtime/rand.go",
			"var readRandomFailed bool\n",
			exactSource + "\nvar readRandomFailed bool\n",
		},
		{
			"std/runtime/select.go",
			"j := cheaprandn(uint32(norder + 1))",
			"j := exactRandn(uint32(norder + 1))",
		},
		// Timers that a select waits for draw their places among those of one moment: not in the
		// order of the channels' locks, which is that of their addresses.
		{"std/runtime/select.go", "		if c.timer != nil {\n			blockTimerChan(c)\n		}\n", ""},
		{
			"std/runtime/select.go",
			"	// wait for someone to wake us up\n	gp.param = nil\n",
			"	for _, i := range pollorder {\n		if c := scases[i].c; c.timer != nil {\n			blockTimerChan(c)\n		}\n	}\n	gp.param = nil\n",
		},
		{
			"std/runtime/time.go",
			"t.rand = cheaprand()",
			"t.rand = exactRandn(^uint32(0))",
		},
		{
			"std/runtime/proc.go",
			"		} else if pd.schedwhen+forcePreemptNS <= now {\n			preemptone(pp)\n",
			"		} else if !exactOn && pd.schedwhen+forcePreemptNS <= now {\n			preemptone(pp)\n",
		},
		{
			// A mutex is handed to who has waited a millisecond, of the time outside of a bubble,
			// while in it none passes.
			"std/runtime/sema.go",
			"func internal_sync_nanotime() int64 {\n",
			"func internal_sync_nanotime() int64 {\n	if exactOn {\n		return 1 // 0 says that nobody waits\n	}\n",
		},
		{
			// Whoever is on the global queue, where the own is full, comes when that is empty: not
			// at each 61st turn, of which the runtime's own goroutines have some.
			"std/runtime/proc.go",
			"if pp.schedtick%61 == 0 && !sched.runq.empty() {",
			"if !exactOn && pp.schedtick%61 == 0 && !sched.runq.empty() {",
		},
		// Goroutines are many and short here, and a tenth of the time went into making their
		// stacks large enough: no garbage collection finds out how large they are.
		{"std/runtime/stack.go", "var startingStackSize uint32 = fixedStack\n", "var startingStackSize uint32 = 4 * fixedStack\n"},
		{"std/math/rand/v2/rand.go", "//go:linkname runtime_rand runtime.rand\n", "//go:linkname runtime_rand runtime.exactNext\n"},
		{"std/context/context.go", "children map[canceler]struct{}", "children map[canceler]int"},
		{"std/context/context.go", "p.children = make(map[canceler]struct{})", "p.children = make(map[canceler]int)"},
		{"std/context/context.go", "p.children[child] = struct{}{}", "p.born++\n			p.children[child] = p.born"},
		{"std/context/context.go", "	cause    error                 // set to non-nil by the first cancel call\n", "	cause    error\n	born     int\n"},
		{
			"std/context/context.go",
			"	for child := range c.children {\n",
			"	order := make([]canceler, c.born+1)\n	for child, n := range c.children {\n		order[n] = child\n	}\n	for _, child := range order {\n		if child == nil {\n			continue\n		}\n",
		},
	}
}

const exactSource = `
var (
	exactOn    bool
	exactState uint64
	exactMaps  uint64 // of all maps: how many are made depends on what the program did before
)

// exactNext serves math/rand/v2.
//
//go:nosplit
//go:linkname exactNext
func exactNext() uint64 {
	if exactOn {
		return exactRand()
	}
	return rand()
}

//go:nosplit
func exactRand() uint64 {
	exactState += 0x9e3779b97f4a7c15
	z := exactState
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

//go:nosplit
func exactRandn(n uint32) uint32 {
	if !exactOn {
		return cheaprandn(n)
	}
	return uint32((uint64(uint32(exactRand())) * uint64(n)) >> 32)
}

//go:linkname exactSeed
func exactSeed(on bool, seed uint64) {
	exactOn, exactState = on, seed
	exactMaps = exactRand()
}
`

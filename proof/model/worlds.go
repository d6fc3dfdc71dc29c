package model

// Worlds are the small configurations, which every test run searches to their end.
func Worlds() []*World {
	return []*World{
		{
			Name: "crash", About: "any one fault of workers, sends and deletes",
			Tree: small, Max: 1, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Send: 1, Undelete: 1},
		},
		{
			Name: "reply", About: "the ledger acts and does not answer, and a worker dies",
			Tree: three, Max: 2, Budget: map[Fault]uint8{Crash: 1, Reply: 1},
		},
		{
			Name: "inline", About: "attempts differ in what they do inline",
			Tree: moods, Max: 1, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Send: 1},
		},
		{
			Name: "yield", About: "an attempt finds children, another none; two faults",
			Tree: "r = r > b\n b = b c | b > c", Max: 2, Budget: map[Fault]uint8{Crash: 1, Expire: 1},
		},
		{
			Name: "root", About: "the root itself finds children or none, or fails; two faults, and a redrive",
			Tree: "r = r b | r > b", Fails: "r b", Epochs: 2, Max: 2, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Fail: 1},
		},
		{
			Name: "moody", About: "what a node has below it changes between attempts; rows are committed step by step",
			Tree: "r = r > a b\n b = b | b x | b > c", Max: 1, Commits: true, Budget: map[Fault]uint8{Crash: 1, Expire: 1},
		},
		{
			Name: "retry", About: "failures are tried again",
			Tree: small, Fails: "b", Retries: 1, Max: 1, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Send: 1, Undelete: 1, Fail: 1},
		},
		{
			Name: "redrive", About: "nodes fail, and the run is redriven",
			Tree: small, Fails: "b c", Epochs: 2, Max: 1, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Fail: 2},
		},
		{
			Name: "reduce", About: "a node reduces, and so does what is above it; that may fail, and be redriven",
			Tree: "r ~ r > b\n b ~ b > c d", Fails: "c", Reduces: "b", Epochs: 2,
			Max: 1, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Fail: 1},
		},
		{
			Name: "sequel", About: "the second step of a node has children, or none, and may fail",
			Tree: "r = r > b\n b ~ b > c\n b ' b > e | b > e e2 | b", Reduces: "b", Fails: "e", Epochs: 2,
			Max: 1, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Fail: 1},
		},
		{
			Name: "fallback", About: "a node that is given up has children for that",
			Tree: "r = r > b\n b = b > c\n b ? > f", Fails: "b f", Epochs: 2,
			Max: 1, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Fail: 2},
		},
		{
			Name: "groups", About: "the children of a wide node come in pages; one fails, and is redriven",
			Tree: "r = r > g h\n g # > a\n h # > c", Fails: "a", Epochs: 2,
			Max: 1, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Fail: 1},
		},
		{
			Name: "sweep", About: "a crash, and the queue loses a message or gives one up; a sweep that may die",
			Tree: small, Max: 2, Budget: map[Fault]uint8{Crash: 1, Lose: 1, Bury: 1},
		},
		{
			Name: "sweep-again", About: "the queue loses a message, and another one that a sweep posts for it, so that the next one goes the same way",
			Tree: "r = r > b\n b = b > c", Max: 2, Budget: map[Fault]uint8{Crash: 1, Lose: 2, Undelete: 1},
		},
		{
			Name: "pause", About: "a run is paused at any time; what was put back twice is sent anew",
			Tree: "r = r > a", Max: 1, PutOffs: 2, Stale: true, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Bury: 1, Pause: 1},
		},
		{
			Name: "cancel", About: "a run is cancelled at any time; its messages go away",
			Tree: "r = r > a b", Max: 1, Past: true, Stale: true, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Cancel: 1, Bury: 1},
		},
		{
			Name: "drain", About: "past the end of a run nothing changes, and all goes away",
			Tree: "r = r > b\n b = b c | b > c", Max: 2, Past: true, Budget: map[Fault]uint8{Expire: 1, Send: 1, Undelete: 1},
		},
		{
			Name: "letters", About: "letters are moved back to the queue by people",
			Tree: "r = r > a b", Fails: "a", Epochs: 2, Max: 1, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Fail: 2, Return: 1},
		},
		{
			Name: "forged", About: "somebody posts without the key",
			Tree: "r = r > a", Budget: map[Fault]uint8{Forge: 1, Crash: 1},
		},
		{
			Name: "lie", About: "a message is delivered twice, neither shows it, and the attempts differ: sums are exact all the same",
			Tree: "r = r > b\n b = b c | b > c", Doubtful: true, Max: 2, Budget: map[Fault]uint8{Lie: 1, Crash: 1},
		},
	}
}

const (
	small = "r = r > a b\n b = b > c d"
	three = "r = r > a b\n b = b > c"
	fewer = "r = r > a b | r a > b | r b > a c\n b = b c | b > c"
	moods = "r = r > a b | r a > b | r b > a c d\n b = b c d | b > c d | b c > d"
)

// Deep are those that `make model` searches beside: minutes each.
func Deep() []*World {
	return []*World{
		{
			Name: "crash-2", About: "any two faults of workers, sends and deletes",
			Tree: three, Max: 2, Budget: map[Fault]uint8{Crash: 2, Expire: 2, Send: 1, Undelete: 1},
		},
		{
			Name: "crash-3", About: "any three, of a smaller tree",
			Tree: "r = r > b\n b = b > c", Max: 3, Budget: map[Fault]uint8{Crash: 2, Expire: 2, Send: 2, Undelete: 1, Reply: 1},
		},
		{
			Name: "crew", About: "three workers, any two faults",
			Tree: three, Workers: 3, Max: 2, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Send: 1, Undelete: 1},
		},
		{
			Name: "chain", About: "a chain six deep, two faults",
			Tree: "r = r > a\n a = a > b\n b = b > c\n c = c > d\n d = d > e", Max: 2,
			Budget: map[Fault]uint8{Crash: 2, Expire: 1, Send: 1, Undelete: 1},
		},
		{
			Name: "inline-2", About: "attempts differ in what they do inline, two faults",
			Tree: fewer, Max: 2, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Send: 1},
		},
		{
			Name: "moody-2", About: "what a node has below it changes between attempts, two faults; rows are committed step by step",
			Tree: "r = r > a b\n b = b | b x | b > c", Max: 2, Commits: true, Budget: map[Fault]uint8{Crash: 1, Expire: 1},
		},
		{
			Name: "moody-redrive", About: "what a node has below it changes, also between epochs; tasks that are late",
			Tree: "r = r > b\n b = b | b > c | b > c d", Fails: "b c", Epochs: 2, Retries: 1, Max: 1, Stale: true,
			Budget: map[Fault]uint8{Crash: 1, Expire: 1, Fail: 2},
		},
		{
			Name: "redrive-2", About: "nodes fail, and the run is redriven; two faults, tasks that are late",
			Tree: "r = r > b\n b = b > c", Fails: "b c", Epochs: 2, Max: 2, Stale: true, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Send: 1, Undelete: 1, Fail: 1},
		},
		{
			Name: "redrive-twice", About: "two redrives of a failure three levels down",
			Tree: "r = r > a b\n b = b > c\n c = c > d", Fails: "b c d", Epochs: 3, Max: 1, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Send: 1, Fail: 2},
		},
		{
			Name: "reduce-2", About: "two levels reduce; two faults",
			Tree: "r ~ r > b\n b ~ b > c", Max: 2, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Send: 1, Undelete: 1, Reply: 1},
		},
		{
			Name: "reduce-redrive", About: "two levels reduce, either may fail, twice; a node below, too",
			Tree: "r ~ r > b\n b ~ b > c", Fails: "c", Reduces: "r b", Epochs: 3, Max: 1, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Send: 1, Fail: 2},
		},
		{
			Name: "reduce-lost", About: "two levels reduce; the queue loses messages, and gives some up",
			Tree: "r ~ r > b\n b ~ b > c", Max: 2, Reduces: "b", Epochs: 2, Budget: map[Fault]uint8{Crash: 1, Lose: 1, Bury: 1, Fail: 1},
		},
		{
			Name: "sequel-2", About: "the second step of a node has children, or none; two faults",
			Tree: "r = r > b\n b ~ b > c\n b ' b > e | b", Max: 2, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Send: 1, Undelete: 1, Reply: 1},
		},
		{
			Name: "sequel-redrive", About: "that second step fails, or what it reveals; two redrives",
			Tree: "r = r > b\n b ~ b > c\n b ' b > e | b", Fails: "c e", Reduces: "b", Epochs: 3, Max: 1, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Bury: 1, Fail: 2},
		},
		{
			Name: "sequel-lost", About: "the queue loses what the second step of a node needs, or gives it up",
			Tree: "r = r > b\n b ~ b > c\n b ' b > e | b", Max: 2, Epochs: 2, Budget: map[Fault]uint8{Crash: 1, Lose: 1, Bury: 1},
		},
		{
			Name: "sweeps", About: "sweeps that nothing calls for, in the middle of a second step, and one fault",
			Tree: "r = r > b\n b ~ b > c\n b ' b > e | b", Max: 1, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Lose: 1, Bury: 1, Sweep: 1},
		},
		{
			Name: "groups-2", About: "pages of pages; two faults, and a redrive",
			Tree: "r = r > g\n g # > i\n i # > a", Fails: "a", Epochs: 2, Max: 2, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Send: 1, Fail: 1},
		},
		{
			Name: "groups-lost", About: "the queue loses messages of a page, twice; what a sweep posts for them is received twice",
			Tree: "r = r > g\n g # > a\n a = a > b", Max: 3, Budget: map[Fault]uint8{Crash: 1, Lose: 2, Bury: 1, Undelete: 1},
		},
		{
			Name: "fallback-2", About: "a node that is given up has children for that; two faults",
			Tree: "r = r > b\n b = b > c\n b ? > f c", Fails: "b f", Epochs: 2, Max: 2, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Bury: 1, Fail: 2},
		},
		{
			Name: "sweep-2", About: "the queue loses two messages, or gives them up; sweeps at any time, that may die; a redrive",
			Tree: "r = r > b\n b = b > c", Fails: "c", Epochs: 2, Max: 2, Budget: map[Fault]uint8{Crash: 1, Lose: 2, Bury: 1, Sweep: 1, Fail: 1},
		},
		{
			Name: "sweep-steps", About: "what a sweep leads to is received twice at any level, or in doubt whether it is sent; then it is lost again",
			Tree: "r = r > a\n a = a > b\n b = b > c", Max: 3, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Send: 1, Undelete: 1, Lose: 2},
		},
		{
			Name: "pause-2", About: "a run is paused at any time, and its tasks are late; what was put back twice is sent anew",
			Tree: "r = r > b\n b = b > c", PutOffs: 2, Max: 1, Stale: true, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Bury: 1, Send: 1, Pause: 1},
		},
		{
			Name: "drain-2", About: "past the end of a run nothing changes, and all goes away; reduces and a redrive",
			Tree: "r = r > b\n b ~ b > c", Reduces: "b", Epochs: 2, Max: 1, Past: true, Stale: true,
			Budget: map[Fault]uint8{Crash: 1, Expire: 1, Send: 1, Undelete: 1, Bury: 1, Fail: 1},
		},
		{
			Name: "lie-2", About: "a message is delivered twice, neither shows it, and the attempts differ: sums are exact all the same",
			Tree: fewer, Doubtful: true, Max: 2, Budget: map[Fault]uint8{Lie: 1, Crash: 1, Expire: 1},
		},
		{
			Name: "everything", About: "all that people and queues may do to a small tree, one at a time",
			Tree: "r ~ r > b\n b = b c | b > c", Fails: "b c", Epochs: 2, Retries: 1, PutOffs: 2, Max: 1, Stale: true, Commits: true, Limit: 3_000_000,
			Budget: map[Fault]uint8{Crash: 1, Expire: 1, Send: 1, Undelete: 1, Lose: 1, Bury: 1, Reply: 1, Fail: 2, Sweep: 1, Pause: 1, Cancel: 1, Return: 1},
		},
	}
}

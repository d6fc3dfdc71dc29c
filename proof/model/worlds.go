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
			Tree: "r = r > a b\n b = b > c", Max: 2, Budget: map[Fault]uint8{Crash: 1, Reply: 1},
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
			Tree: "r = r > g h\n g # > a b\n h # > c", Fails: "a", Epochs: 2,
			Max: 1, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Send: 1, Fail: 1},
		},
		{
			Name: "sweep", About: "a crash, and the queue loses a message or gives one up; a sweep that may die",
			Tree: small, Max: 2, Budget: map[Fault]uint8{Crash: 1, Lose: 1, Bury: 1},
		},
		{
			Name: "pause", About: "a run is paused at any time; what was put back twice is sent anew",
			Tree: small, Max: 1, PutOffs: 2, Stale: true, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Bury: 1, Pause: 1},
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
	moods = "r = r > a b | r a > b | r b > a c d\n b = b c d | b > c d | b c > d"
)

// Deep are those that `make model` searches beside: minutes each.
func Deep() []*World {
	return []*World{
		{
			Name: "crash2", About: "any two faults of workers, sends and deletes",
			Tree: small, Max: 2, Budget: map[Fault]uint8{Crash: 2, Expire: 1, Send: 1, Undelete: 1},
		},
	}
}

package model

const small = `
	r = r > a b
	b = b > c d
`

// Worlds are the configurations. Each is searched to its end, unless it has a Limit.
func Worlds() []*World {
	return []*World{
		{
			Name: "crash", About: "one crash, one lease that ends, one send that fails in part",
			Tree: small, Max: 2, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Send: 1},
		},
		{
			Name: "inline", About: "attempts differ in what they do inline",
			Tree: "r = r > a b | r a > b | r b > a c d\n b = b c d | b > c d | b c > d",
			Max:  1, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Send: 1},
		},
		{
			Name: "redrive", About: "nodes fail, and the run is redriven",
			Tree: small, Fails: "b c", Epochs: 2, Max: 1, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Fail: 2},
		},
		{
			Name: "reduce", About: "nodes reduce, and that may fail",
			Tree: "r ~ r > a b\n b ~ b > c d", Fails: "c", Reduces: "b", Epochs: 2,
			Max: 1, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Send: 1, Fail: 1},
		},
		{
			Name: "sweep", About: "the queue loses a message, and gives one up",
			Tree: small, Max: 2, Epochs: 2, Budget: map[Fault]uint8{Crash: 1, Lose: 1, Bury: 1, Sweep: 1},
		},
		{
			Name: "yield", About: "an attempt finds children, another none",
			Tree: "r = r > b\n b = b c | b > c", Max: 2, Budget: map[Fault]uint8{Crash: 1, Expire: 1},
		},
		{
			Name: "retry", About: "failures are tried again",
			Tree: small, Fails: "b", Retries: 1, Epochs: 1, Max: 1, Budget: map[Fault]uint8{Crash: 1, Expire: 1, Send: 1, Undelete: 1, Fail: 1},
		},
		{
			Name: "send", About: "batches fail in part",
			Tree: "r = r > a b c", Max: 2, Budget: map[Fault]uint8{Send: 2},
		},
		{
			Name: "moody", About: "what attempts find has changed",
			Tree: "r = r > a b\n b = b | b x | b > c | b > c d", Max: 2, Commits: true, Budget: map[Fault]uint8{Crash: 1, Expire: 1},
		},
		{
			Name: "forged", About: "somebody posts without the key",
			Tree: "r = r > a", Budget: map[Fault]uint8{Forge: 1, Crash: 1},
		},
	}
}

package model

// Fault is one thing that may go wrong, or that people may do.
type Fault uint8

// The faults. Those up to Reply count towards World.Max.
const (
	Crash    Fault = iota // a worker ends, or its unit fails, at any step
	Expire                // a lease ends while its worker goes on
	Send                  // a send fails in part: entries are on the queue or not, and the sender does not know
	Undelete              // a delete is lost
	Lie                   // a message is there twice, and neither delivery shows it
	Lose                  // the queue loses a message
	Bury                  // the queue moves a message to its dead-letter queue
	Reply                 // the ledger acts and its answer is lost
	Fail                  // a processor fails
	Sweep                 // a sweep that nothing calls for
	Pause                 // people pause the run
	Cancel                // people cancel the run
	Return                // people move a letter back to the queue
	Forge                 // somebody posts without the key
	faults
)

var faultNames = [faults]string{
	"crash", "expire", "send", "undelete", "lie", "lose", "bury", "reply", "fail", "sweep", "pause", "cancel", "return", "forge",
}

func (f Fault) String() string { return faultNames[f] }

// used is how many faults have been met that count.
func (w *World) used(s *State) (n int) {
	for f := range Fail {
		n += int(w.budget[f]) - int(s.left[f])
	}
	return n
}

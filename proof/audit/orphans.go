package audit

import (
	"github.com/ramify/ramify/proof/history"
	"github.com/ramify/ramify/schema"
)

// sends asks whether children are posted of a plan which a leaf has come before: whoever
// plans a node beside another attempt claims its slot first, and finds out.
func (a *auditor) sends(e *history.Event) {
	if e.Message == nil || e.Dead {
		return
	}
	a.posted[e.Message.Up.Parent] = true
	if a.superseded[e.Message.Up.Parent] && !a.Lies {
		a.bad("I3: a child is posted of a plan whose node has settled as a leaf")
	}
}

// supersedes takes up a leaf that settles before the plan of another attempt has claimed
// the slot. Two attempts that both took themselves for the first do not ask, nor claim:
// that is what a queue can bring about that lies.
func (a *auditor) supersedes(plan schema.PID) {
	a.superseded[plan] = true
	if a.posted[plan] && !a.Lies {
		a.bad("I3: a node settles as a leaf, and children of its plan are posted")
	}
}

package audit

import (
	"slices"
	"strings"

	"github.com/ramify/ramify/proof/history"
	"github.com/ramify/ramify/proof/tree"
)

// letter is of what a message in the dead-letter queue is: a node, in an epoch.
type letter struct {
	id    string
	epoch int
}

// letter takes up what lies in the dead-letter queue when all is over.
func (a *auditor) letter(e *history.Event) {
	a.reasons[e.Body] = append(a.reasons[e.Body], e.Reason)
	if e.Message != nil && e.Reason != "" {
		a.letters[letter{tree.Path(e.Message.ID), e.Message.Epoch}] = true
	}
}

// mourned asks whether all that was given up is named in the dead-letter queue, where
// people look for it, as often as a redrive was in vain.
func (a *auditor) mourned(o *outcome) {
	for _, some := range []map[string]bool{o.gone, o.stuck} {
		for id := range some {
			if !a.letters[letter{id, a.model.run.Epoch}] {
				a.bad("I1: node %s was given up in epoch %d, and no letter says so", id, a.model.run.Epoch)
			}
		}
	}
}

// refused asks whether what nobody may execute, or can, lies in the dead-letter queue and
// says why: it was not executed, and was not thrown away. And whether anything is left
// there of which nobody says why.
func (a *auditor) refused() {
	for _, e := range a.forged {
		reasons := a.reasons[e.Body]
		if len(reasons) == 0 && a.Loses && !e.Dead {
			continue
		}
		if !slices.ContainsFunc(reasons, func(r string) bool { return strings.Contains(r, e.Reason) }) {
			a.bad("I6: what nobody may execute must lie in the dead-letter queue and say %q, there is %q:\n      %s", e.Reason, reasons, e)
		}
	}
	for _, reasons := range a.reasons {
		if slices.Contains(reasons, "") {
			a.bad("I1: the queue gave a message up, and nobody has looked after it")
		}
	}
}

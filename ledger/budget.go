package ledger

import (
	"maps"
	"strconv"
)

// Params of a run that has a budget. They change while it goes on (Change.Params).
const (
	ParamBudget = "budget" // dollars that the run may cost
	ParamSpent  = "spent"  // dollars that it had cost, by estimate, when it was last paused for its budget
)

// Budget is what a run may cost, in dollars; 0: it has no budget.
func (o Options) Budget() float64 { return o.dollars(ParamBudget) }

// Spent is what a run had cost, in dollars and by estimate, when it was last paused
// for its budget; 0: it never was.
func (o Options) Spent() float64 { return o.dollars(ParamSpent) }

// OverBudget reports whether a run was paused for a budget that nobody has raised
// above what was spent.
func (o Options) OverBudget() bool { return o.Budget() > 0 && o.Spent() >= o.Budget() }

func (o Options) dollars(param string) float64 {
	v, err := strconv.ParseFloat(o.Params[param], 64)
	if err != nil || !(v > 0) {
		return 0
	}
	return v
}

// Dollars is an amount as Params keep it.
func Dollars(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// Exhaust is the change that pauses a run which has cost so many dollars, and whether
// it is due: the run goes on, and that is all of its budget. Nodes wait, nothing is
// lost.
func (r Run) Exhaust(cost float64) (c Change, due bool) {
	budget, yes := r.Options.Budget(), true
	if r.State.Over() || r.Paused || budget == 0 || cost < budget {
		return Change{}, false
	}
	return Change{From: r.State, Epoch: r.Epoch, Paused: &yes, Params: map[string]string{ParamSpent: Dollars(cost)}}, true
}

// With is the options with some of their params set; neither's map is changed.
func (o Options) With(params map[string]string) Options {
	if len(params) > 0 {
		all := make(map[string]string, len(o.Params)+len(params))
		maps.Copy(all, o.Params)
		maps.Copy(all, params)
		o.Params = all
	}
	return o
}

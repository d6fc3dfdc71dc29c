// Package mutant is bugs: each an edit of the engine's source that breaks one thing
// which the protocol needs. The auditor knows none of them.
package mutant

import (
	"fmt"

	"github.com/ramify/ramify/proof/exact"
)

// Bug is one thing that is wrong.
type Bug struct {
	Name  string
	About string
	Edits []exact.Edit
}

// protocol are the bugs that were planted in the model of the protocol, too.
var protocol = []Bug{
	{"delete-before-settle", "a leaf's message is deleted before its slot has settled", []exact.Edit{
		{
			File: "task/process.go",
			Old:  "	s := ledger.Settlement{At: u.m.Up, Account: res.own, Header: u.m.Hdr, Unfenced: true}\n",
			New:  "	u.t.deletes.add(u.held)\n	s := ledger.Settlement{At: u.m.Up, Account: res.own, Header: u.m.Hdr, Unfenced: true}\n",
		},
	}},
	{"no-reclimb", "a node that has settled is taken for done, without a look at what is above it", []exact.Edit{
		{
			File: "task/unit.go",
			Old:  "		v, err = u.after(ctx, u.m.Up.Parent, *above)\n		return v, true, err\n",
			New:  "		return done, true, nil\n",
		},
		{
			File: "task/settle.go",
			Old:  "	default:\n		u.behind = true\n	}\n	if s.At.IsRoot() {",
			New:  "	default:\n		return done, nil\n	}\n	if s.At.IsRoot() {",
		},
	}},
	{"counters-unconditional", "a slot that has settled is counted again", []exact.Edit{
		{
			File: "ledger/hostile/rules.go",
			Old:  "	case t.Done.Has(slot):\n		return ledger.Already\n	case s.Unfenced",
			New:  "	case t.Done.Has(slot):\n		t.Sum = t.Sum.Add(s.Account)\n		return ledger.Already\n	case s.Unfenced",
		},
	}},
	{"plan-overwritten", "the last plan of a node wins, not the first", []exact.Edit{
		{
			File: "ledger/hostile/rules.go",
			Old:  "	case old == nil, p.Type == ledger.Group:",
			New:  "	case old == nil, p.Type == ledger.Group, old.Type == ledger.Live && p.Type == ledger.Live:",
		},
	}},
	{"redrive-adds-totals", "a redrive counts again what had settled before it", []exact.Edit{
		{
			File: "task/unit.go",
			Old:  "	h := schema.Header{Required: failed, Up: p.Up, Reduce: p.Reduce}",
			New:  "	h := schema.Header{Required: failed, Own: p.Own, Up: p.Up, Reduce: p.Reduce}",
		},
	}},
	{"no-fence", "a leaf settles though another attempt's plan has claimed its slot", []exact.Edit{
		{File: "task/process.go", Old: "Header: u.m.Hdr, Unfenced: true}", New: "Header: u.m.Hdr}"},
	}},
	{"no-tomb", "a node is given up without a tomb", []exact.Edit{
		{
			File: "task/settle.go",
			Old:  "	stored, _, err := u.t.cfg.Ledger.Plan(ctx, ledger.Plan{\n		PID: u.pid, Run: u.m.Run, Type: ledger.Tomb,",
			New:  "	stored, _, err := noTomb(ledger.Plan{\n		PID: u.pid, Run: u.m.Run, Type: ledger.Tomb,",
		},
		{
			File: "task/settle.go",
			Old:  "// bury copies",
			New:  "func noTomb(p ledger.Plan) (ledger.Plan, bool, error) { return p, true, nil }\n\n// bury copies",
		},
	}},
	{"delete-before-post", "a message is deleted before the children of its node are posted", []exact.Edit{
		{
			File: "task/unit.go",
			Old:  "	letters := parent.Children(slots)\n",
			New:  "	u.t.deletes.add(u.held)\n	letters := parent.Children(slots)\n",
		},
	}},
	{"delete-before-reduce", "a message is deleted before the reduce that it completes is posted", []exact.Edit{
		{
			File: "task/settle.go",
			Old:  "	m := schema.Message{\n		V: schema.Version, Run: u.m.Run, Op: schema.OpReduce, Up: at,",
			New:  "	u.t.deletes.add(u.held)\n	m := schema.Message{\n		V: schema.Version, Run: u.m.Run, Op: schema.OpReduce, Up: at,",
		},
	}},
	{"planned-means-delete", "a node that has a plan is taken for posted", []exact.Edit{
		{File: "task/unit.go", Old: "		if p.MID != u.m.MID {\n", New: "		if p.MID != 0 {\n			return done, true, nil\n		}\n		if p.MID != u.m.MID {\n"},
	}},
	{"sweep-dropped", "what a sweep posts ends where another message owns the plan", []exact.Edit{
		{File: "task/unit.go", Old: "	u.adopts = m.Re == schema.PostAdopt || ", New: "	u.adopts = "},
	}},
}

// more are bugs of what the model of the protocol leaves out.
var more = []Bug{
	{"plan-unclaimed", "an attempt that is not the first posts the children of its plan, and has not claimed the slot", []exact.Edit{
		{File: "task/process.go", Old: "	if u.suspect {\n		if v, claimed", New: "	if u.suspect && u.t == nil {\n		if v, claimed"},
	}},
	{"retry-renamed", "the copy of a message that failed has another id, and does not know its own plan", []exact.Edit{
		{File: "task/work.go", Old: "	again.Tries++\n", New: "	again.Tries++\n	again.MID = schema.NewMID()\n"},
	}},
	{"retry-after-delete", "a message that failed is deleted before its copy is sent", []exact.Edit{
		{File: "task/work.go", Old: "	again := u.copied()\n	again.Tries++\n", New: "	t.deletes.add(u.held)\n	again := u.copied()\n	again.Tries++\n"},
	}},
	{"reduce-despite-failures", "a node reduces though something below it was given up", []exact.Edit{
		{File: "task/settle.go", Old: "		if h.Reduce && !failed {", New: "		if h.Reduce {"},
	}},
	{"not-taken-back", "a node that a redrive has healed stays counted as given up", []exact.Edit{
		{File: "task/process.go", Old: "		res.own.Failures--\n", New: ""},
	}},
	{"no-letter", "a node is given up, and no letter of it goes to the dead-letter queue", []exact.Edit{
		{File: "task/settle.go", Old: "	if err := u.mourn(ctx, p.Err); err != nil {\n		return 0, err\n	}\n", New: ""},
	}},
	{"any-signature", "messages are executed whoever signed them", []exact.Edit{
		{File: "schema/sign.go", Old: "	if !known || !hmac.Equal(got, mac(k, body)) {", New: "	if !known || !hmac.Equal(got, mac(k, body)) && len(body) == 0 {"},
	}},
	{"foreign-dropped", "a message of a run that nobody has begun is deleted", []exact.Edit{
		{File: "task/unit.go", Old: "	if err := u.t.deadLetter(ctx, u.held, why); err != nil {\n		return 0, err\n	}\n	u.seen.rejected = 1\n", New: ""},
	}},
	{"forged-dropped", "a message that cannot be verified, or read, is deleted", []exact.Edit{
		{File: "task/work.go", Old: "	if err := t.deadLetter(m.ctx, m, why.Error()); err != nil {", New: "	if err := m.ctx.Err(); err != nil {"},
	}},
	{"dead-dropped", "a message that the queue has given up, and that cannot be verified or read, is deleted", []exact.Edit{
		{File: "task/lost.go", Old: "		if err := t.deadLetter(ctx, h, err.Error()); err != nil {", New: "		if err := ctx.Err(); err != nil {"},
	}},
	{"dead-ignored", "what the queue has given up is taken for a letter", []exact.Edit{
		{File: "sweep/letters.go", Old: "		if d.Attrs[l.k.Reason] != \"\" {", New: "		if len(d.Body) > 0 {"},
	}},
	{"letters-deleted", "letters are taken for what the queue has given up, and deleted", []exact.Edit{
		{File: "sweep/letters.go", Old: "		if d.Attrs[l.k.Reason] != \"\" {", New: "		if len(d.Body) == 0 {"},
		{File: "task/lost.go", Old: "		return ErrLetter\n", New: "		return nil\n"},
	}},
	{"letter-without-reason", "a letter does not say why it is there", []exact.Edit{
		{File: "task/letter.go", Old: "	if strings.TrimSpace(why) == \"\" {", New: "	if len(why) > 0 {"},
	}},
	{"last-page-lost", "of a node wider than a plan the last children are forgotten", []exact.Edit{
		{File: "task/collect.go", Old: "	if len(c.kids) > 0 {\n		if err := c.page(); err != nil {\n			return nil, err\n		}\n	}\n", New: ""},
	}},
	{"frontier-cut", "a node that failed inline is forgotten", []exact.Edit{
		{File: "task/inline.go", Old: "			kept = append(kept, next) // it fails again, or not, as a message of its own\n", New: ""},
	}},
	{"inline-rows-of-failures", "rows of a node that failed inline stay with those of the next", []exact.Edit{
		{File: "task/output.go", Old: "	o.kids, o.blocks = o.kids[:0], o.blocks[:0]\n", New: "	o.kids = o.kids[:0]\n"},
	}},
	{"one-tally", "a climb looks at the failures of no epoch but the first", []exact.Edit{
		{File: "task/settle.go", Old: "		failed = rec[1].Tally.Fail.Len()\n", New: "		failed = rec[1].Tally.Done.Len()\n"},
	}},
	{"reduce-forgets-healing", "the sum that a reduce is given has a failure less than none", []exact.Edit{
		{File: "task/settle.go", Old: "	sum.Failures = 0 // one that", New: "	// one that"},
	}},
	{"held-children-unpaged", "children that were held to be done inline, and could not be, make one plan however many bytes they have", []exact.Edit{
		{File: "task/collect.go", Old: "	if c.hold { // none of them", New: "	if c.hold && len(c.kids) == 0 { // none of them"},
	}},
	{"send-not-repeated", "a message that the queue did not take is taken for sent", []exact.Edit{
		{File: "post/post.go", Old: "				again = append(again, letters[i])\n", New: ""},
	}},
	{"sweeps-double", "all messages of a sweep go on where another's plan is, duplicates too", []exact.Edit{
		{File: "task/unit.go", Old: "	return step.MID == u.m.MID, nil\n", New: "	return step.MID != 0, nil\n"},
	}},
	{"second-step-alone", "the record of a second step leaves out what its node and all below it came to", []exact.Edit{
		{File: "task/process.go", Old: "	res.own = res.own.Add(u.base)\n", New: ""},
	}},
	{"second-step-unrecorded", "a second step without children settles without a record, as a leaf does", []exact.Edit{
		{File: "task/process.go", Old: "	if !u.suspect && !u.sequel {\n", New: "	if !u.suspect {\n"},
	}},
	{"second-step-again", "a node whose second step comes with its first is reduced once more", []exact.Edit{
		{File: "task/process.go", Old: "		res.share, u.closed = 0, true\n", New: "		res.share = 0\n"},
	}},
	{"fallback-at-once", "a node falls back at its first failure", []exact.Edit{
		{File: "task/work.go", Old: "	again := u.copied()\n	again.Tries++\n", New: "	if res, instead, err := u.fallBack(ctx, why); err == nil && instead {\n		return u.commitPlan(ctx, res)\n	}\n	again := u.copied()\n	again.Tries++\n"},
	}},
	{"fallback-counts-twice", "a node that falls back, and was given up before, stays counted as given up", []exact.Edit{
		{File: "task/sequel.go", Old: "		res.own.Failures--\n", New: ""},
	}},
	{"fallback-reduced", "a node that has fallen back is reduced when all that became of it is well", []exact.Edit{
		{File: "task/sequel.go", Old: "	u.closed = true\n", New: ""},
	}},
	{"room-without-walls", "a worker receives as much as there is", []exact.Edit{
		{File: "task/room.go", Old: "		free := r.capacity - r.taken\n", New: "		free := r.batch\n"},
	}},
	{"room-too-early", "a worker receives more when it begins with a message, not when it ends", []exact.Edit{
		{File: "task/inbox.go", Old: "		in.t.slots.release()\n		in.room.release(1, in.starving())\n	})\n", New: "		in.t.slots.release()\n	})\n	in.room.release(1, true)\n"},
	}},
	{"receives-unbounded", "a worker has as many receives under way as bring something", []exact.Edit{
		{File: "task/inbox.go", Old: "	if now = max(min(now, most), 1); now != calls {", New: "	if now = max(min(now, 10*most), 1); now != calls {"},
	}},
	{"seeded-twice", "a run whose name is taken is begun again", []exact.Edit{
		{File: "ledger/hostile/ledger.go", Old: "		if _, ok := l.runs[run.ID]; ok {\n", New: "		if r, ok := l.runs[run.ID]; ok && r.Epoch > 1<<30 {\n"},
	}},
	{"claims-given-back", "a vertex is revealed only as long as its claim is the nearest", []exact.Edit{
		{File: "proof/tree/graph.go", Old: "			if !kept[i].Has(claim) {", New: "			if !kept[i].Now(claim) {"},
	}},
}

// Elsewhere are bugs that random cases do not find, since too much must come together: no
// campaign searches for them. It needs a slow first delivery that comes to a leaf, and
// meanwhile a later one of the same message that finds children, claims the slot, and
// dies before it posts. The model has it (proof/model, of the same name), and a test of
// the engine (task, TestALeafLeavesTheMessageToItsOwnPlan).
var Elsewhere = []Bug{
	{"yield-deletes", "a leaf whose slot its own plan has claimed deletes its message", []exact.Edit{
		{File: "task/settle.go", Old: "	return letGo, nil\n}\n\n// after is", New: "	return done, nil\n}\n\n// after is"},
	}},
}

// Named is the bug of a name.
func Named(name string) (Bug, error) {
	for _, b := range append(All(), Elsewhere...) {
		if b.Name == name {
			return b, nil
		}
	}
	return Bug{}, fmt.Errorf("find bug: there is none of the name %q: package mutant has them", name)
}

// All are all bugs that a campaign finds.
func All() []Bug { return append(append([]Bug(nil), protocol...), more...) }

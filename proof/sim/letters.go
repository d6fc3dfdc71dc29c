package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ramify/ramify/proof/history"
	"github.com/ramify/ramify/proof/tree"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/task"
)

// forgery is a message that nobody may execute, or can, and a word of what people must be
// told of it.
type forgery struct {
	entry queue.Entry
	why   string
	dead  bool // it comes to the dead-letter queue, as if the queue had given it up
}

// forge puts on the queues what somebody else might, before anything goes wrong with them.
func (w *world) forge(ctx context.Context) error {
	for _, f := range w.forgeries() {
		q := messages{Queue: w.main, w: w}
		if f.dead {
			q = messages{Queue: w.dead, w: w, dead: true}
		}
		if err := q.Send(ctx, []queue.Entry{f.entry})[0]; err != nil {
			return fmt.Errorf("forge message: %w", err)
		}
		e := q.event(history.Forge, f.entry.Body, "")
		e.Body, e.Reason = history.Hash(f.entry.Body), f.why
		q.add(e, nil)
	}
	return nil
}

// forgeries are messages that are well made, and signed by nobody or with a key of
// somebody's own; one that was changed after it was signed; those of ours that are of
// another run, or of an epoch that never begins; and what can be read by nobody.
func (w *world) forgeries() (all []forgery) {
	theirs, err := schema.NewKeyring(schema.Key{ID: "ours", Secret: make([]byte, 32)})
	if err != nil {
		panic(err)
	}
	const unsigned, foreign, early = "not signed", "no run another", "epoch 99 has not begun"
	add := func(dead bool, why string, body []byte, attrs map[string]string) {
		all = append(all, forgery{entry: queue.Entry{Body: body, Attrs: attrs}, why: why, dead: dead})
	}
	body := func(change func(*schema.Message)) []byte {
		// Each has an id of its own, by which it is known again.
		m := schema.Message{V: schema.Version, Run: run, Op: schema.OpNode, Kind: tree.Plain, ID: forged, MID: schema.MID(1 + len(all)), Share: schema.Whole}
		change(&m)
		b, err := m.Encode()
		if err != nil {
			panic(err)
		}
		return b
	}
	asIs := func(*schema.Message) {}
	ofAnother := func(m *schema.Message) { m.Run = "another" }
	b := body(asIs)
	add(false, unsigned, b, theirs.Sign(b))
	add(false, unsigned, body(asIs), nil)
	b = body(asIs)
	add(false, unsigned, b, w.keys.Sign(b[1:]))
	b = body(ofAnother)
	add(false, foreign, b, w.keys.Sign(b))
	b = body(func(m *schema.Message) { m.Epoch = 99 })
	add(false, early, b, w.keys.Sign(b))
	for _, text := range []string{"{", `{"v":99}`} {
		add(false, "parse message", []byte(text), w.keys.Sign([]byte(text)))
	}
	if w.keeps() { // otherwise nobody looks
		add(true, unsigned, body(asIs), nil)
		b = body(ofAnother)
		add(true, foreign, b, w.keys.Sign(b))
	}
	return all
}

// forged is the name of all nodes that nobody may process.
const forged = "forged"

// settle gives keepers the time to look after what the queue has given up.
func (w *world) settle(ctx context.Context) error {
	if !w.keeps() {
		return nil
	}
	for range 60 {
		got, all, err := w.look(ctx)
		if err != nil {
			return err
		}
		lacks := func(d queue.Delivery) bool { return d.Attrs[task.AttrReason] == "" }
		if all && !slices.ContainsFunc(got, lacks) {
			return nil
		}
		time.Sleep(w.pace(time.Minute))
	}
	return nil
}

// letters notes what lies in the dead-letter queue when nobody works any more.
func (w *world) letters(ctx context.Context) error {
	for range 60 {
		got, all, err := w.look(ctx)
		if err != nil {
			return err
		}
		if !all { // some are hidden by whoever looked last
			time.Sleep(looks + time.Second)
			continue
		}
		q := messages{w: w, dead: true}
		for _, d := range got {
			e := q.event(history.Letter, d.Body, "")
			e.Body, e.Reason = history.Hash(d.Body), d.Attrs[task.AttrReason]
			q.add(e, nil)
		}
		return nil
	}
	return errors.New("read letters: some are hidden for ever")
}

// looks is how long a look at the dead-letter queue hides what is there.
const looks = 2 * time.Second

// look is what lies in the dead-letter queue, and whether that is all.
func (w *world) look(ctx context.Context) (got []queue.Delivery, all bool, err error) {
	depth, err := w.dead.Depth(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("look at letters: %w", err)
	}
	for {
		some, err := w.dead.Receive(ctx, queue.Request{Max: w.dead.Limits().Batch, Visibility: looks})
		if err != nil {
			return nil, false, fmt.Errorf("look at letters: %w", err)
		}
		if got = append(got, some...); len(some) == 0 || int64(len(got)) >= depth.Total() {
			return got, int64(len(got)) >= depth.Total(), nil
		}
	}
}

package task

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ramify/ramify/queue"
)

// Attributes of a message in the dead-letter queue.
const (
	AttrReason = "ramify-reason" // why it is there
	AttrCut    = "ramify-cut"    // what it lacks, where the whole did not fit
)

const (
	longestReason  = 1000 // bytes
	shortestReason = 100  // to which it is cut before anything of the message is
	mostAttrs      = 8    // queue.Entry
	ours           = "ramify-"
)

// deadLetter copies a message to the dead-letter queue with the reason.
func (t *Task) deadLetter(ctx context.Context, m *held, why string) error {
	e := letter(m.Delivery, why, t.cfg.Dead.Limits().Body)
	if cut := e.Attrs[AttrCut]; cut != "" {
		t.cfg.Log.Warn("message does not fit into the dead-letter queue whole", "lost", cut, "reason", e.Attrs[AttrReason])
	}
	return t.cfg.Dead.Send(ctx, []queue.Entry{e})[0]
}

// letter is a message with a reason in at most so many bytes. A message of almost
// the limit has no room for one, and would be refused, and received again, for
// ever. So the reason is shortened first; then attributes of others' go, then the
// end of the body: a mark says so. What the engine itself sends never comes to
// that, but for nodes of a megabyte, whose args the plan above them keeps.
func letter(m queue.Delivery, why string, limit int) queue.Entry {
	e := queue.Entry{Body: m.Body, Attrs: maps.Clone(m.Attrs)}
	if e.Attrs == nil {
		e.Attrs = map[string]string{}
	}
	delete(e.Attrs, AttrReason) // of an earlier stay there
	delete(e.Attrs, AttrCut)
	why = reason(why)
	room := func() int { return limit - e.Size() - len(AttrReason) }
	need := min(len(why), shortestReason)
	fits := func() bool { return room() >= need }
	if len(e.Attrs) < mostAttrs && fits() {
		e.Attrs[AttrReason] = cutText(why, room())
		return e
	}

	const mark = len(AttrCut) + len("9999999 of 9999999 bytes, 99 attributes")
	limit -= mark
	var lost []string
	dropped := 0
	for _, name := range slices.Sorted(maps.Keys(e.Attrs)) {
		if len(e.Attrs) <= mostAttrs-2 && fits() {
			break
		}
		if !strings.HasPrefix(name, ours) {
			delete(e.Attrs, name)
			dropped++
		}
	}
	if !fits() {
		keep := max(len(e.Body)-(need-room()), 1)
		for keep > 1 && !utf8.RuneStart(e.Body[keep]) {
			keep--
		}
		lost = append(lost, strconv.Itoa(len(e.Body)-keep)+" of "+strconv.Itoa(len(e.Body))+" bytes")
		e.Body = e.Body[:keep]
	}
	if dropped > 0 {
		lost = append(lost, strconv.Itoa(dropped)+" attributes")
	}
	e.Attrs[AttrCut] = strings.Join(lost, ", ")
	limit += mark
	e.Attrs[AttrReason] = cutText(why, room())
	return e
}

// reason is why as people and message attributes can take it: not empty, and
// neither too long.
func reason(why string) string {
	why = cutText(printable(why), longestReason)
	if strings.TrimSpace(why) == "" {
		return "an error without a text"
	}
	return why
}

// cutText cuts a text to so many bytes, at a character.
func cutText(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// printable keeps what a message attribute can carry, and what commands no terminal:
// names of nodes are other people's.
func printable(s string) string {
	clean := []rune(s)
	for i, r := range clean {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			clean[i] = ' '
		}
	}
	return string(clean)
}

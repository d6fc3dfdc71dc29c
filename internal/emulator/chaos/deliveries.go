package chaos

import (
	"encoding/json"
	"slices"
)

const receive = "ReceiveMessage"

const (
	most   = 10  // messages in one answer, as SQS has it
	memory = 200 // messages of a queue that may be delivered again
)

// deliveries is what a queue has delivered.
type deliveries struct {
	past []json.RawMessage // as it was delivered: receipt and receive count, too
	held []json.RawMessage
}

// deliver is what becomes of the answer to a ReceiveMessage. No more messages come
// than were asked for, and each says what it said before. An answer that is not as
// expected passes as it is.
func (p *Proxy) deliver(request, answer []byte) []byte {
	var asked struct {
		QueueURL string `json:"QueueUrl"`
		Max      int    `json:"MaxNumberOfMessages"`
	}
	var got map[string]json.RawMessage
	var messages []json.RawMessage
	if json.Unmarshal(request, &asked) != nil || json.Unmarshal(answer, &got) != nil {
		return answer
	}
	if list, ok := got["Messages"]; ok && json.Unmarshal(list, &messages) != nil {
		return answer
	}
	messages = p.mix(asked.QueueURL, messages, min(max(asked.Max, 1), most))
	delete(got, "Messages")
	if len(messages) > 0 {
		list, err := json.Marshal(messages)
		if err != nil {
			return answer
		}
		got["Messages"] = list
	}
	mixed, err := json.Marshal(got)
	if err != nil {
		return answer
	}
	return mixed
}

// mix holds back some messages, adds those that were held back before and copies
// of old ones, and shuffles.
func (p *Proxy) mix(queue string, messages []json.RawMessage, room int) []json.RawMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.queues[queue]
	if q == nil {
		q = &deliveries{}
		p.queues[queue] = q
	}
	var back []json.RawMessage
	all := q.held // the oldest first, or they would be held for ever
	for _, m := range messages {
		if len(q.held) < most && p.chance(p.faults.Held) {
			p.done.Held++
			back = append(back, m)
			continue
		}
		all = append(all, m)
	}
	copies := 0
	for copies < room && len(q.past) > 0 && p.chance(p.faults.Copied) {
		copies++
	}
	take := min(len(all), room-copies)
	if len(q.held) > 3*most { // copies do not crowd out what waits already
		take = min(len(all), room)
	}
	out := slices.Clone(all[:take])
	q.held = slices.Concat(all[take:], back)
	for range min(copies, room-take) {
		p.done.Copied++
		out = append(out, q.past[p.rand.IntN(len(q.past))])
	}
	// What is in this answer may come again in a later one.
	q.past = slices.Concat(q.past, all[:take])
	q.past = slices.Clone(q.past[max(len(q.past)-memory, 0):])
	p.rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

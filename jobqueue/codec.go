package jobqueue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ramify/ramify/schema"
)

// Kind is the kind of node that a plain job is.
const Kind = "command"

// AttrReason is the attribute of a message in a failed queue that no worker could
// execute: why.
const AttrReason = "ramify-reason"

// Job is a plain job.
type Job struct {
	// Argv is a program and its arguments. Of a script it is the script, and what it
	// finds in $1 and so on.
	Argv []string
	// Shell says that it is a script for /bin/sh.
	Shell bool
	// Foreign says that qdone has sent it, which runs scripts by nice.
	Foreign bool
}

// String is the job in one line, for people: words that a shell would take apart are
// in quotes.
func (j Job) String() string {
	if j.Shell && len(j.Argv) == 1 {
		return j.Argv[0]
	}
	words := make([]string, len(j.Argv))
	for i, w := range j.Argv {
		words[i] = quoted(w)
	}
	return strings.Join(words, " ")
}

// quoted is a word as a shell would read it again.
func quoted(w string) string {
	plain := w != "" && strings.IndexFunc(w, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%", r)
	}) < 0
	if plain {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

// Codec says what jobs look like in a queue, and which of them are to be executed.
type Codec struct {
	// Keys sign what is sent and must have signed what is executed. Nil signs nothing
	// and accepts everything: whoever can send to the queue can run programs.
	Keys *schema.Keyring
	// Shell takes scripts, too.
	Shell bool
	// Qdone sends and takes what qdone does: unsigned scripts. What is signed is taken
	// as ever.
	Qdone bool
}

// mostJob is the most bytes of a job's arguments: a message has a mebibyte, some of it
// for what is around them.
const mostJob = 1<<20 - 8<<10

// args are those of a node that is a plain job. The queue is signed with the rest: who
// can read one queue and send to another could have its jobs run there.
type args struct {
	Argv  []string `json:"argv"`
	Shell bool     `json:"shell,omitempty"`
	Queue string   `json:"queue"` // whole, and not the failed one
}

// errShell is why a script is not executed.
var errShell = errors.New("it is a script, and this worker runs none: it must be started with --shell, too")

// Pack is the message of a job for a queue, or for its failed queue: a node of Kind,
// signed. The queue is a whole name, of Names.Main.
func (c Codec) Pack(queue string, j Job) (body []byte, attrs map[string]string, err error) {
	if err := c.check(j); err != nil {
		return nil, nil, fmt.Errorf("pack job: %w", err)
	}
	if c.Qdone {
		return []byte(j.Argv[0]), nil, nil
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(args{j.Argv, j.Shell, queue}); err != nil {
		return nil, nil, fmt.Errorf("pack job: %w", err)
	}
	mid := schema.NewMID()
	m := schema.Message{
		V: schema.Version, Run: fmt.Sprintf("job-%016x", uint64(mid)), Op: schema.OpNode, Kind: Kind,
		ID: label(j), Args: bytes.TrimSpace(text.Bytes()), MID: mid, Share: schema.Whole,
	}
	if err := m.Validate(); err != nil {
		return nil, nil, fmt.Errorf("pack job: %w", err)
	}
	if text.Len() > mostJob {
		return nil, nil, fmt.Errorf("pack job: it has %d bytes, want at most %d: let it read what is long from a file", text.Len(), mostJob)
	}
	if body, err = m.Encode(); err != nil {
		return nil, nil, fmt.Errorf("pack job: %w", err)
	}
	return body, c.Keys.Sign(body), nil
}

func (c Codec) check(j Job) error {
	if len(j.Argv) == 0 || j.Argv[0] == "" {
		return errors.New("it is empty: want a program and its arguments")
	}
	for _, w := range j.Argv {
		switch {
		case !utf8.ValidString(w):
			return fmt.Errorf("argument %q is not UTF-8", w)
		case strings.ContainsRune(w, 0):
			return fmt.Errorf("argument %q has a NUL character, which no argument can", w)
		}
	}
	if c.Qdone && len(j.Argv) > 1 {
		return fmt.Errorf("qdone's jobs are one line of text each: put %q between quotes", strings.Join(j.Argv, " "))
	}
	return nil
}

// label is the node's name for people.
func label(j Job) string {
	s := j.String()
	if len(s) <= schema.MaxID {
		return s
	}
	s = s[:schema.MaxID-len("…")]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}

// Unpack reads the job of a message of a queue, or of its failed queue, or says why it
// must not be executed.
func (c Codec) Unpack(queue string, body []byte, attrs map[string]string) (Job, error) {
	if c.Qdone && attrs[schema.AttrSignature] == "" {
		return Job{Argv: []string{string(body)}, Shell: true, Foreign: true}, nil
	}
	if err := c.Keys.Verify(body, attrs); err != nil {
		return Job{}, err
	}
	m, err := schema.Parse(body)
	if err != nil {
		return Job{}, err
	}
	if m.Kind != Kind || m.Op != schema.OpNode || !m.Up.IsRoot() {
		return Job{}, fmt.Errorf("it is no plain job but a node of kind %s in run %s: it wants `ramify task`", m.Kind, m.Run)
	}
	var a args
	d := json.NewDecoder(bytes.NewReader(m.Args))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return Job{}, fmt.Errorf("read args: %w: it is no plain job", err)
	}
	j := Job{Argv: a.Argv, Shell: a.Shell}
	if err := (Codec{}).check(j); err != nil {
		return Job{}, fmt.Errorf("read args: %w", err)
	}
	if a.Queue != queue {
		return Job{}, fmt.Errorf("it was signed for queue %q, and this is %s: enqueue it here if it is to run here", a.Queue, queue)
	}
	if j.Shell && !c.Shell {
		return Job{}, errShell
	}
	return j, nil
}

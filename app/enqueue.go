package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/jobqueue"
	"github.com/ramify/ramify/schema"
)

// sendFlags say how jobs are sent.
type sendFlags struct {
	queueFlags
	trustFlags
	FIFO    bool   `name:"fifo" short:"f" help:"Queues are FIFO queues; their names end in .fifo."`
	GroupID string `short:"g" name:"group-id" env:"-" help:"With --fifo: the group in which order is kept (default: one for this command)." placeholder:"ID"`
	DedupID string `name:"deduplication-id" env:"-" help:"With --fifo: what is sent again with the same within 5 minutes is not sent; of a batch, job N has ID-N (default: of its own)." placeholder:"ID"`
	Delay   string `help:"Time until the job is first seen, at most 15m." default:"0s" placeholder:"DURATION"`
	Tries   string `help:"How often a job is begun before it goes to the failed queue: of queues that are made now." default:"1" placeholder:"N"`
	JSON    bool   `name:"json" help:"JSON lines also on a terminal."`

	names jobqueue.Names
	codec jobqueue.Codec
	delay time.Duration
	group string
}

// Source: Amazon SQS API reference, "SendMessage".
const (
	mostID = 128
	wantID = "letters, digits and punctuation of ASCII"
)

// isID reports whether SQS takes a group or a deduplication id, or there is none.
func isID(s string, most int) bool {
	return len(s) <= most && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// ready checks the flags and opens the queues.
func (f *sendFlags) ready(ctx context.Context, g *cli, perMessage bool) (depot, func(), error) {
	var err error
	if f.names, err = f.queueFlags.names(f.FIFO); err != nil {
		return nil, nil, err
	}
	var tries int
	err = readSettings([]setting{
		{"delay", f.Delay, duration(&f.delay, 0, 366*24*time.Hour)},
		{"tries", f.Tries, number(&tries, 1, 1000)},
	})
	if err != nil {
		return nil, nil, err
	}
	switch {
	case f.delay > jobqueue.MaxDelay:
		return nil, nil, usagef("--delay is %s, but SQS hides a new message for 15 minutes at most: for later, have a schedule enqueue it", f.Delay)
	case f.delay > 0 && f.FIFO:
		return nil, nil, usagef("--delay is %s, but SQS delays no single message of a FIFO queue, since those behind it would overtake it: leave out --delay or --fifo", f.Delay)
	case f.GroupID != "" && !f.FIFO:
		return nil, nil, usagef("--group-id is %q, but only FIFO queues have groups: add --fifo", f.GroupID)
	case f.DedupID != "" && !f.FIFO:
		return nil, nil, usagef("--deduplication-id is %q, but only FIFO queues know one: add --fifo", f.DedupID)
	case f.GroupID != "" && perMessage:
		return nil, nil, usagef("--group-id is %q, and --group-id-per-message is set: leave out one of them", f.GroupID)
	case !isID(f.GroupID, mostID):
		return nil, nil, usagef("--group-id is %q, want %s, at most %d", f.GroupID, wantID, mostID)
	case !isID(f.DedupID, mostID-20):
		return nil, nil, usagef("--deduplication-id is %q, want %s, at most %d: a batch puts numbers behind it", f.DedupID, wantID, mostID-20)
	}
	if f.group = f.GroupID; f.group == "" {
		f.group = unique()
	}
	var keys interface{ Stop() }
	f.codec, keys, err = f.trustFlags.codec(ctx, &f.queueFlags, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, err
	}
	q, closeAll, err := f.openQueues(ctx, g, tries)
	if err != nil {
		keys.Stop()
		return nil, nil, err
	}
	return q, func() { closeAll(); keys.Stop() }, nil
}

// unique is an id that nobody else has.
func unique() string {
	return fmt.Sprintf("%016x%016x", uint64(schema.NewMID()), uint64(schema.NewMID()))
}

// posting is a job on its way to a queue that was typed; n counts those of a batch.
func (f *sendFlags) posting(typed string, j jobqueue.Job, n int, perMessage bool) (jobqueue.Posting, error) {
	whole, err := f.names.Whole(typed)
	if err != nil {
		return jobqueue.Posting{}, err
	}
	body, attrs, err := f.codec.Pack(f.names.Main(whole), j)
	if err != nil {
		return jobqueue.Posting{}, err
	}
	p := jobqueue.Posting{Queue: whole, Failed: f.names.Failed(whole), Body: body, Attrs: attrs, Delay: f.delay}
	if !jobqueue.IsFIFO(whole) {
		return p, nil
	}
	if p.Delay > 0 {
		return p, usagef("--delay is %s, but queue %s is a FIFO queue, of which SQS delays no single message", f.Delay, typed)
	}
	p.Group, p.Dedup = f.group, f.DedupID
	if perMessage {
		p.Group = unique()
	}
	switch {
	case p.Dedup == "":
		p.Dedup = unique()
	case n > 0:
		p.Dedup += "-" + strconv.Itoa(n)
	}
	return p, nil
}

type enqueueCmd struct {
	sendFlags
	Queue   string   `arg:"" help:"Name of the queue; it is made if there is none."`
	Command []string `arg:"" passthrough:"" help:"The program and its arguments; options of ramify stand before it."`
}

// Run implements the command.
func (c *enqueueCmd) Run(ctx context.Context, g *cli, std streams) error {
	q, closeAll, err := c.ready(ctx, g, false)
	if err != nil {
		return err
	}
	defer closeAll()
	switch first := c.Command[0]; {
	case first == "--":
		c.Command = c.Command[1:]
	case strings.HasPrefix(first, "-"):
		return usagef("%q is no option of ramify enqueue: see ramify enqueue --help, or put -- before a command that begins so", first)
	}
	j, err := c.argv(c.Command, c.qdone())
	if err != nil {
		return err
	}
	p, err := c.posting(c.Queue, j, 0, false)
	if err != nil {
		return usageError{err}
	}
	sent := q.Send(ctx, []jobqueue.Posting{p})[0]
	switch {
	case errors.Is(sent.Err, jobqueue.ErrInvalid):
		return usageError{sent.Err}
	case sent.Err != nil:
		return sent.Err
	}
	return newTeller(std, c.JSON, c.names).sent(j.String(), p, sent, false)
}

type enqueueBatchCmd struct {
	sendFlags
	PerMessage bool     `name:"group-id-per-message" env:"-" help:"With --fifo: a group for each job, so that none waits for another."`
	Files      []string `arg:"" name:"file" help:"Files with a queue and a command on each line; - for standard input."`
}

// Run implements the command.
func (c *enqueueBatchCmd) Run(ctx context.Context, g *cli, std streams) error {
	if c.PerMessage && !c.FIFO {
		return usagef("--group-id-per-message is set, but only FIFO queues have groups: add --fifo")
	}
	if c.qdone() && c.Shell {
		return usagef("--shell says nothing with --compat qdone: all its jobs are lines for a shell")
	}
	q, closeAll, err := c.ready(ctx, g, c.PerMessage)
	if err != nil {
		return err
	}
	defer closeAll()
	// Files are read twice: where a line is wrong, nothing is sent.
	if err := c.each(ctx, false, func(jobqueue.Posting, string, error) error { return nil }); err != nil {
		return err
	}
	return c.send(ctx, q, newTeller(std, c.JSON, c.names))
}

// send sends all files.
func (c *enqueueBatchCmd) send(ctx context.Context, q depot, tell *teller) error {
	texts := map[int]string{} // of jobs that wait
	var n, failed, good int
	var told error
	b := jobqueue.Batch{Queues: q, Done: func(n int, p jobqueue.Posting, s jobqueue.Sent) {
		if s.Err == nil {
			good++
		} else {
			failed++
		}
		told = errors.Join(told, tell.sent(texts[n], p, s, true))
		delete(texts, n)
	}}
	err := c.each(ctx, true, func(p jobqueue.Posting, text string, wrong error) error {
		if wrong != nil {
			failed++
			return tell.notSent(wrong)
		}
		n++
		texts[n] = text
		b.Add(ctx, n, p)
		return told
	})
	b.Flush(ctx)
	if err := errors.Join(err, told, tell.batch(good, failed)); err != nil {
		return err
	}
	if failed > 0 {
		return exitError(exitFailures)
	}
	return nil
}

// maxJob is the most bytes of a line: a message has no more.
const maxJob = 1 << 20

// each reads lines: of files, and where all is set also of standard input, which cannot
// be read twice. What is wrong with a line of a file is an error; of one of standard
// input do is told.
func (c *enqueueBatchCmd) each(ctx context.Context, all bool, do func(p jobqueue.Posting, text string, wrong error) error) error {
	n := 0
	for _, name := range c.Files {
		if name == "-" {
			if !all {
				continue
			}
			if err := c.lines(ctx, os.Stdin, "standard input", &n, do); err != nil {
				return err
			}
			continue
		}
		in, err := os.Open(name)
		if err != nil {
			return usagef("read batch: %w", err)
		}
		err = c.lines(ctx, in, name, &n, func(p jobqueue.Posting, text string, wrong error) error {
			if wrong != nil {
				return usagef("%w; nothing was sent", wrong)
			}
			return do(p, text, nil)
		})
		_ = in.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *enqueueBatchCmd) lines(ctx context.Context, in io.Reader, name string, n *int, do func(p jobqueue.Posting, text string, wrong error) error) error {
	s := bufio.NewScanner(in)
	s.Buffer(make([]byte, 0, 64<<10), maxJob)
	texts := make(chan string)
	reading, enough := context.WithCancel(ctx)
	defer enough()
	go func() { // a read of a terminal or a pipe cannot be interrupted
		defer close(texts)
		for s.Scan() {
			select {
			case texts <- s.Text():
			case <-reading.Done():
				return
			}
		}
	}()
	for at := 1; ; at++ {
		var text string
		var more bool
		select {
		case text, more = <-texts:
		case <-ctx.Done():
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if !more {
			break
		}
		typed, j, ok, err := jobqueue.ParseLine(text, c.Shell || c.qdone())
		if err == nil && !ok {
			continue
		}
		*n++
		var p jobqueue.Posting
		if err == nil {
			p, err = c.posting(typed, j, *n, c.PerMessage)
		}
		if err != nil {
			err = fmt.Errorf("line %d of %s: %w", at, name, err)
		}
		if err := do(p, j.String(), err); err != nil {
			return err
		}
	}
	switch err := s.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return usagef("read %s: a line has more than %d bytes, which no job can", name, maxJob)
	case err != nil:
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// teller says what happens: to people on a terminal, and in JSON lines elsewhere.
type teller struct {
	out    io.Writer
	people bool
	names  jobqueue.Names
}

func newTeller(std streams, asJSON bool, names jobqueue.Names) *teller {
	t := &teller{out: console.Screen(std.out, true), names: names}
	if !asJSON && isTerminal(std.out) {
		t.people, t.out = true, console.Screen(std.out, false)
	}
	return t
}

// sentEvent is what is printed of a job that was sent, or could not be.
type sentEvent struct {
	Event        string    `json:"event"`
	Timestamp    time.Time `json:"timestamp"`
	Job          string    `json:"job,omitempty"`
	Command      string    `json:"command,omitempty"`
	Queue        string    `json:"queue,omitempty"`
	Request      int       `json:"request,omitempty"`
	QueueMade    bool      `json:"queueMade,omitempty"`
	ErrorMessage string    `json:"errorMessage,omitempty"`
	Jobs         *int      `json:"jobs,omitempty"`
	Failed       *int      `json:"failed,omitempty"`
}

func (t *teller) sent(text string, p jobqueue.Posting, s jobqueue.Sent, numbered bool) error {
	queue := t.names.Short(p.Queue)
	if s.Err != nil {
		return t.print(sentEvent{Event: "JOB_NOT_ENQUEUED", Command: text, Queue: queue, ErrorMessage: oneLine(s.Err)},
			fmt.Sprintf("Not enqueued: %s: %s", indented(text), oneLine(s.Err)))
	}
	line := "Enqueued job " + s.ID
	if numbered {
		line += " request " + strconv.Itoa(s.Request)
	}
	if s.Made {
		line = "Made queue " + queue + " and " + t.names.Short(p.Failed) + "\n" + line
	}
	return t.print(sentEvent{Event: "JOB_ENQUEUED", Job: s.ID, Command: text, Queue: queue, Request: s.Request, QueueMade: s.Made}, line)
}

func (t *teller) notSent(why error) error {
	return t.print(sentEvent{Event: "JOB_NOT_ENQUEUED", ErrorMessage: oneLine(why)}, "Not enqueued: "+oneLine(why))
}

func (t *teller) batch(good, failed int) error {
	line := fmt.Sprintf("Enqueued %d jobs", good)
	if failed > 0 {
		line += fmt.Sprintf(", %d failed", failed)
	}
	return t.print(sentEvent{Event: "BATCH_ENQUEUED", Jobs: &good, Failed: &failed}, line)
}

func (t *teller) print(e sentEvent, line string) error {
	e.Timestamp = time.Now().UTC()
	return t.write(e, line)
}

// write prints an event, or for people its text.
func (t *teller) write(event any, lines string) error {
	var err error
	if t.people {
		_, err = fmt.Fprintln(t.out, strings.TrimRight(lines, "\n"))
	} else {
		err = encode(t.out, event)
	}
	if err != nil {
		return fmt.Errorf("print events: %w", err)
	}
	return nil
}

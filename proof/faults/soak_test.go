package faults

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/ramify/ramify/integration/program"
	"github.com/ramify/ramify/processor/synthetic"
)

// soakVar says for how long TestSoakHour goes on.
const soakVar = "RAMIFY_SOAK_FOR"

// soakFor is an hour by make soak-hour, a minute by make soak, and in make test just
// long enough that nothing of it can rot.
func soakFor(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv(soakVar)
	if text == "" {
		return time.Duration(scaled(20, 60)) * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 10*time.Second {
		t.Fatalf("%s is %q, want a time of at least 10s", soakVar, text)
	}
	return d
}

// A fleet and a run on one machine go on for an hour: what they hold of memory,
// goroutines, descriptors and disk stays as it is, and no total is ever off by one.
func TestSoakHour(t *testing.T) {
	t.Parallel()
	span := soakFor(t)
	f := newFleet(t, "RAMIFY_METRICS=none")
	w := &watch{t: t, every: max(span/600, 250*time.Millisecond), end: make(chan struct{})}
	for i := range 2 {
		p := w.begin(fmt.Sprintf("task %d", i+1), f.User, "", "task")
		f.tasks = append(f.tasks, p)
	}

	begun := time.Now()
	// On one machine: a run of as many nodes as take the time, on 16 slots.
	const rate = 400 // nodes a second
	local := program.NewUser(t, "")
	long := tree{Spec: synthetic.Spec{Fanout: int(math.Cbrt(rate * span.Seconds())), Depth: 3, Work: synthetic.Duration(16 * time.Second / rate), Objects: 3, Bytes: 1000, Rows: true}}
	run := w.begin("local run", local, local.State(), "run", long.target(), "--run", "long", "--out", "out", "--concurrency", "16", "--json")
	watched := make(chan struct{})
	go func() { defer close(watched); w.watch() }()

	// On the fleet: one run after the other, of other shapes, until the time is over.
	shapes := []tree{
		{Spec: synthetic.Spec{Fanout: 6, Depth: 3, Jitter: .5, Objects: 5, Bytes: 100}},
		{Spec: synthetic.Spec{Shape: synthetic.Wide, Fanout: 400, Depth: 1, Objects: 1}},
		{Spec: synthetic.Spec{Shape: synthetic.Chain, Depth: 30, Objects: 2}},
		{Spec: synthetic.Spec{Fanout: 4, Depth: 3, Objects: 1, Bytes: 7}, kind: synthetic.ReduceKind},
		{Spec: synthetic.Spec{Fanout: 5, Depth: 3, Fail: .2, Objects: 3}},
	}
	// And as long as the local run goes on, where a busy machine makes it longer: a fleet
	// that has nothing to do any more would be flat, whatever grew before.
	runs, nodes := 0, int64(0)
	for time.Since(begun) < span || run.Running() && time.Since(begun) < 2*span+patience() {
		tr := shapes[runs%len(shapes)]
		tr.Seed = uint64(runs)
		end := f.seed(t, fmt.Sprintf("run-%d", runs), tr.target(), "--inline", []string{"0", "0", "7"}[runs%3], "--retries", "30")
		r := end.WaitFor(t, patience())
		r.RequireCode(t, 0)
		sum := program.ParseSummary(t, r.Stdout)
		tr.whole(t, sum)
		nodes += sum.Nodes
		runs++
	}
	r := run.WaitFor(t, span+patience())
	close(w.end)
	<-watched
	r.RequireCode(t, 0)
	sum := program.ParseSummary(t, r.Stdout)
	long.whole(t, sum)
	f.main.AwaitEmpty(t, f.said)
	if d := f.dead.Depth(t); d != (program.Depth{}) {
		t.Errorf("the dead-letter queue has %+v", d)
	}
	f.drain(t)
	t.Logf("%v: %d runs of %d nodes on a fleet of 2, one of %d nodes on one machine in %.0f s; all totals exact\n%s",
		time.Since(begun).Round(time.Second), runs, nodes, sum.Nodes, sum.Seconds, w.table())
	w.flat()
	if per := float64(w.subjects[2].samples[len(w.subjects[2].samples)-1].disk) / float64(sum.Nodes); sum.Nodes > 100_000 && per > mostPerNode {
		t.Errorf("the state file has %.0f bytes a node, want %d at most", per, mostPerNode)
	}
}

// mostPerNode bounds the file of a run: what is known of a node that has settled is
// its byte in its parent's tally, and its row.
const mostPerNode = 120

// watch looks at processes every so often.
type watch struct {
	t     *testing.T
	every time.Duration
	end   chan struct{} // closed: enough was seen

	subjects []*subject
}

// subject is a process that is looked at.
type subject struct {
	name    string
	pid     int
	done    <-chan struct{}
	gauge   string // the file it keeps
	folder  string // whose size is looked at, too
	samples []sighting
}

type sighting struct {
	at time.Time
	gauge
	disk, log int64 // bytes: all, and of that the log of what is not yet in the database
}

func (w *watch) begin(name string, u *program.User, folder string, args ...string) *program.Process {
	w.t.Helper()
	s := &subject{name: name, gauge: filepath.Join(w.t.TempDir(), "gauge"), folder: folder}
	p := begin(w.t, u, []string{gaugeVar + "=" + s.gauge}, args...)
	s.pid, s.done = p.Cmd.Process.Pid, p.Done
	w.subjects = append(w.subjects, s)
	return p
}

func (w *watch) watch() {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for {
		select {
		case <-w.end:
			return
		case <-tick.C:
		}
		for _, s := range w.subjects {
			s.look()
		}
	}
}

// look takes a sighting, unless the process has not begun to count or has ended.
func (s *subject) look() {
	select {
	case <-s.done:
		return
	default:
	}
	now := sighting{at: time.Now()}
	if now.read(s.gauge, s.pid) != nil {
		return
	}
	if s.folder != "" {
		now.disk, now.log = sizes(s.folder)
	}
	s.samples = append(s.samples, now)
}

// sizes are those of a folder's files. One may go while it is looked at.
func sizes(dir string) (all, log int64) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // it is gone
		}
		if info, err := d.Info(); err == nil {
			all += info.Size()
			if strings.HasSuffix(path, "-wal") {
				log += info.Size()
			}
		}
		return nil
	})
	return all, log
}

// measures are what must stay flat: from the second quarter of the time to the last
// it may grow by a part of itself, and by what is noise in anything so small: a task has
// as many connections as requests are under way, which work decides.
var measures = []struct {
	name  string
	of    func(sighting) int64
	unit  int64
	noise int64
}{
	{"resident MiB", func(s sighting) int64 { return s.resident }, 1 << 20, 24 << 20},
	{"live heap MiB", func(s sighting) int64 { return s.live }, 1 << 20, 8 << 20},
	{"goroutines", func(s sighting) int64 { return int64(s.goroutines) }, 1, 150},
	{"descriptors", func(s sighting) int64 { return int64(s.descriptors) }, 1, 64},
	{"write-ahead log MiB", func(s sighting) int64 { return s.log }, 1 << 20, 48 << 20},
}

// quarter is the middle one of the values of a quarter of the samples, 0 to 3.
func (s *subject) quarter(n int, of func(sighting) int64) int64 {
	part := s.samples[len(s.samples)*n/4 : len(s.samples)*(n+1)/4]
	values := make([]int64, len(part))
	for i := range part {
		values[i] = of(part[i])
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// flat fails the test where something grows.
func (w *watch) flat() {
	w.t.Helper()
	for _, s := range w.subjects {
		if len(s.samples) < 16 {
			w.t.Fatalf("%s was looked at %d times only", s.name, len(s.samples))
		}
		for _, m := range measures {
			early, late := s.quarter(1, m.of), s.quarter(3, m.of)
			if late > early+early/5+m.noise {
				w.t.Errorf("%s: %s grow from %d to %d", s.name, m.name, early/m.unit, late/m.unit)
			}
		}
	}
}

// table says what each process had.
func (w *watch) table() string {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "process\tmeasure\t1st quarter\t2nd\t3rd\t4th\tmost\t")
	for _, s := range w.subjects {
		if len(s.samples) < 16 {
			continue
		}
		all := append(slices.Clone(measures), measures[0])
		all[len(all)-1].name, all[len(all)-1].of = "state folder MiB", func(s sighting) int64 { return s.disk }
		for _, m := range all {
			most := int64(0)
			for _, v := range s.samples {
				most = max(most, m.of(v))
			}
			if most == 0 {
				continue
			}
			fmt.Fprintf(tw, "%s\t%s\t", s.name, m.name)
			for q := range 4 {
				fmt.Fprintf(tw, "%.4g\t", float64(s.quarter(q, m.of))/float64(m.unit))
			}
			fmt.Fprintf(tw, "%.4g\t\n", float64(most)/float64(m.unit))
		}
	}
	_ = tw.Flush()
	return b.String()
}

// Package emf writes figures as lines of JSON that CloudWatch Logs makes metrics
// of: no agent, no request, no permission, only standard output. Figures are
// gathered in memory, by their dimensions, and written once a period.
//
// Source: Amazon CloudWatch User Guide, "Specification: Embedded metric format".
package emf

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// unit is one of CloudWatch's. Source: Amazon CloudWatch API reference,
// "MetricDatum".
type unit string

// The units in use. What is plain is none of CloudWatch's: it stands in the line, for
// who searches the log, and is not made a metric of, which would cost.
const (
	count   unit = "Count"
	seconds unit = "Seconds"
	plain   unit = ""
)

// dimension is a name and what it is here, as run=nightly.
type dimension struct{ name, value string }

// dimensions say of what a figure is, the one with the most values first: those are
// bounded. Names and order are the same wherever the same names are used. The
// metric has all of them.
type dimensions []dimension

// Options of Metrics; each has a default.
type Options struct {
	Namespace string            // default Ramify
	Every     time.Duration     // between lines; default 60 s, the resolution of CloudWatch's standard metrics
	Fixed     map[string]string // stands in every line, as which task it is; no dimension
	Fleet     string            // a second dimension of Nodes beside Run; "": there is no such metric
	Sets      int               // of dimensions that are told apart in a period; default 500
	Log       *slog.Logger      // default: discard
}

const (
	defaultNamespace = "Ramify"
	defaultEvery     = time.Minute
	defaultSets      = 500
)

// other is the value of the first dimension once there have been Options.Sets
// others in a period, and of all dimensions once there have been twice as many.
const other = "other"

// none stands for an empty value, which no dimension can have.
const none = "none"

// Metrics gathers figures and writes them. It is safe for concurrent use, before
// Start and after Stop, too, where what is gathered is written at the next Write.
type Metrics struct {
	w io.Writer
	o Options

	mu   sync.Mutex
	sets map[string]*set

	writing sync.Mutex
	failing bool // the last write failed, which has been logged

	cancel context.CancelFunc // nil: not started
	done   chan struct{}
}

// set is what is gathered for the same dimensions.
type set struct {
	dims    dimensions
	figures map[string]*figure
}

// figure is a sum, which begins at 0 each period, so that its Sum in CloudWatch is the
// figure of all tasks; or some of the values there were, where their spread is wanted:
// average, percentiles and maximum. How many there were is not told.
type figure struct {
	unit    unit
	sum     float64
	values  []float64 // nil: a sum
	offered int
	highest int // index of the largest value
}

// maxValues is how many values CloudWatch takes of a metric in a line.
const maxValues = 100

// New makes Metrics that write to w, a line for each set of dimensions.
func New(w io.Writer, o Options) *Metrics {
	if o.Namespace == "" {
		o.Namespace = defaultNamespace
	}
	if o.Every <= 0 {
		o.Every = defaultEvery
	}
	if o.Sets <= 0 {
		o.Sets = defaultSets
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Fleet != "" {
		o.Fleet = value(o.Fleet)
	}
	return &Metrics{w: w, o: o, sets: map[string]*set{}}
}

// offer keeps v as likely as any other value, and the largest always. Source: J. S.
// Vitter, "Random sampling with a reservoir", algorithm R.
func (f *figure) offer(v float64) {
	f.offered++
	if len(f.values) < maxValues {
		f.values = append(f.values, v)
		if v > f.values[f.highest] {
			f.highest = len(f.values) - 1
		}
		return
	}
	at := rand.IntN(f.offered)
	if v > f.values[f.highest] {
		at = min(at, maxValues-1)
		f.values[at], f.highest = v, at
		return
	}
	if at < maxValues && at != f.highest {
		f.values[at] = v
	}
}

// figure finds a figure, or begins it; Metrics.mu is held.
func (s *set) figure(name string, u unit) *figure {
	f := s.figures[name]
	if f == nil {
		f = &figure{unit: u}
		s.figures[name] = f
	}
	return f
}

// set finds what is gathered for dimensions, or begins it; m.mu is held.
func (m *Metrics) set(dims dimensions) *set {
	k := key(dims)
	if s := m.sets[k]; s != nil {
		return s
	}
	clean := make(dimensions, len(dims))
	for i, d := range dims {
		d.value = value(d.value)
		if n := len(m.sets); n >= 2*m.o.Sets || n >= m.o.Sets && i == 0 {
			d.value = other
		}
		clean[i] = d
	}
	k = key(clean)
	s := m.sets[k]
	if s == nil {
		s = &set{dims: clean, figures: map[string]*figure{}}
		m.sets[k] = s
	}
	return s
}

// maxValue is how long CloudWatch lets a dimension's value be.
const maxValue = 1024

// value is one that CloudWatch takes: printable ASCII, not empty.
func value(v string) string {
	v = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, v)
	v = strings.TrimSpace(v[:min(len(v), maxValue)])
	switch {
	case v == "":
		return none
	case v[0] == ':': // which CloudWatch refuses
		return "?" + v[1:]
	}
	return v
}

func key(dims dimensions) string {
	var b strings.Builder
	for _, d := range dims {
		b.WriteString(d.name)
		b.WriteByte(0)
		b.WriteString(d.value)
		b.WriteByte(0)
	}
	return b.String()
}

// Start writes once a period until Stop; ctx gives values only.
func (m *Metrics) Start(ctx context.Context) {
	ctx, m.cancel = context.WithCancel(context.WithoutCancel(ctx))
	m.done = make(chan struct{})
	go func() {
		defer close(m.done)
		tick := time.NewTicker(m.o.Every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				m.Write()
			}
		}
	}()
}

// Stop writes what is left, of a shorter period, and ends the service.
func (m *Metrics) Stop() {
	if m.cancel != nil {
		m.cancel()
		<-m.done
		m.cancel = nil
	}
	m.Write()
}

package console

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"
)

// Logger writes log records: where people read them on a terminal, in short
// lines; elsewhere in JSON, one object a line (slog.JSONHandler). verbose adds
// those of level debug. A record is one line, whatever its values hold, and
// cannot command a terminal.
//
// Give it a Terminal as w, and it prints above the pane.
func Logger(w io.Writer, tty, verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	if !tty {
		return slog.New(slog.NewJSONHandler(jsonWriter{w}, &slog.HandlerOptions{Level: level}))
	}
	t, ok := w.(*Terminal)
	if !ok {
		t = &Terminal{}
	}
	return slog.New(&lineHandler{w: w, terminal: t, level: level, mu: new(sync.Mutex)})
}

// lineHandler writes a record as "15:04:05 warn message  key=value".
type lineHandler struct {
	w        io.Writer
	terminal *Terminal // for its colours
	level    slog.Level
	mu       *sync.Mutex
	given    string // attributes of With, written out
	prefix   string // of keys: the groups, each with a dot
}

func (h *lineHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	var b bytes.Buffer
	if !r.Time.IsZero() {
		b.WriteString(h.terminal.paint(r.Time.Format(time.TimeOnly), dim) + " ")
	}
	switch name := strings.ToLower(r.Level.String()); {
	case r.Level >= slog.LevelError:
		b.WriteString(h.terminal.paint(name, red) + " ")
	case r.Level >= slog.LevelWarn:
		b.WriteString(h.terminal.paint(name, yellow) + " ")
	case r.Level < slog.LevelInfo:
		b.WriteString(h.terminal.paint(name, dim) + " ")
	}
	b.WriteString(Clean(r.Message))
	attrs := h.given
	r.Attrs(func(a slog.Attr) bool {
		attrs += h.attr(h.prefix, a)
		return true
	})
	if attrs != "" {
		b.WriteString(" " + attrs)
	}
	b.WriteByte('\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.w.Write(b.Bytes())
	return err
}

// attr writes " key=value", the value quoted where it would not end visibly.
func (h *lineHandler) attr(prefix string, a slog.Attr) string {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		var b strings.Builder
		for _, member := range v.Group() {
			b.WriteString(h.attr(prefix, member))
		}
		return b.String()
	}
	if a.Equal(slog.Attr{}) {
		return ""
	}
	text := Clean(v.String())
	if text == "" || strings.ContainsAny(text, " =\"") {
		text = `"` + strings.ReplaceAll(text, `"`, `\"`) + `"` // not %q, which would escape what is clean again
	}
	return " " + h.terminal.paint(Clean(prefix+a.Key)+"=", dim) + text
}

func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	for _, a := range attrs {
		c.given += h.attr(h.prefix, a)
	}
	return &c
}

func (h *lineHandler) WithGroup(name string) slog.Handler {
	c := *h
	if name != "" {
		c.prefix += name + "."
	}
	return &c
}

// attrs are a reading as a log record has it.
func (r Reading) attrs() []slog.Attr {
	tenths := func(v float64) float64 { return math.Round(v*10) / 10 }
	attrs := []slog.Attr{
		slog.String("run", r.Run),
		slog.String("state", string(r.State)),
		slog.Float64("fraction", math.Floor(r.Fraction*1e6)/1e6),
		slog.Int64("nodes", r.Nodes),
		slog.Int64("objects", r.Objects),
		slog.Int64("bytes", r.Bytes),
		slog.Int64("failed", r.Failures),
		slog.Int64("retries", r.Retries),
		slog.Int64("requests", countsOf(r.Snapshot).requests),
		slog.Float64("nodes_per_second", tenths(r.Now.Nodes)),
		slog.Float64("objects_per_second", tenths(r.Now.Objects)),
		slog.Float64("bytes_per_second", math.Round(r.Now.Bytes)),
		slog.Int("workers", r.Workers),
		slog.Int("in_flight", r.InFlight),
		slog.Int("slots", r.Slots),
		slog.Float64("seconds", tenths(r.Seconds)),
	}
	if r.ETA.Known {
		attrs = append(attrs,
			slog.Float64("eta_seconds", tenths(r.ETA.Left.Seconds())),
			slog.Float64("eta_low_seconds", tenths(r.ETA.Low.Seconds())),
			slog.Float64("eta_high_seconds", tenths(r.ETA.High.Seconds())))
	}
	return attrs
}

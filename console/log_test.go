package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"
	"testing/synctest"
	"time"
)

func TestLoggerOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		log := Logger(&b, true, false)
		log.Info("run begins", "run", "photos", "slots", 64, "empty", "")
		log.Debug("not shown")
		log.With("task", "t 1").WithGroup("node").With("depth", 3).Warn("retry", "error", errors.New("say \"no\""), slog.Group("after", "wait", 2*time.Second))
		log.Error("stop")
		Logger(&b, true, true).Debug("shown")
		same(t, b.String(), strings.ReplaceAll(`TIME run begins  run=photos slots=64 empty=""
TIME warn retry  task="t 1" node.depth=3 node.error="say \"no\"" node.after.wait=2s
TIME error stop
TIME debug shown
`, "TIME", time.Now().Format(time.TimeOnly)))
	})
}

func TestLoggerColoursOnlyWhereTheTerminalDoes(t *testing.T) {
	s, term := newScreen(80)
	Logger(term, true, false).Warn("plain") // the screen panics at a colour
	if len(s.lines()) != 1 {
		t.Error("nothing was printed")
	}
	var b bytes.Buffer
	term = &Terminal{w: &b, area: term.area, color: true}
	Logger(term, true, false).Error("red", "k", 1)
	if !strings.Contains(b.String(), "\x1b[31merror\x1b[0m red \x1b") && !strings.Contains(b.String(), "\x1b[31merror\x1b[0m red  \x1b[2mk=\x1b[0m1") {
		t.Errorf("got %q", b.String())
	}
}

// TestNothingForgesALineOrCommandsATerminal puts text that would into every
// place of a record.
func TestNothingForgesALineOrCommandsATerminal(t *testing.T) {
	for _, tty := range []bool{true, false} {
		var b bytes.Buffer
		log := Logger(&b, tty, false).With("with"+hostile, hostile).WithGroup(hostile)
		log.Info("m"+hostile, "key"+hostile, hostile, "error", errors.New(hostile), slog.Group("g"+hostile, hostile, []string{hostile}), "bytes", []byte(hostile))
		line, ended := strings.CutSuffix(b.String(), "\n")
		if !ended || Clean(strings.ReplaceAll(line, "\ufffd", "")) != strings.ReplaceAll(line, "\ufffd", "") {
			t.Errorf("terminal %v: %q", tty, b.String())
		}
		if !tty && !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

// TestHandlerKeepsTheContract runs the tests of the standard library on the
// handler for terminals.
func TestHandlerKeepsTheContract(t *testing.T) {
	var b bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		b.Reset()
		return Logger(&b, true, false).Handler()
	}, func(t *testing.T) map[string]any {
		return parse(t, b.String())
	})
}

// parse reads a line of ours back.
func parse(t *testing.T, line string) map[string]any {
	top := map[string]any{slog.LevelKey: "INFO"}
	head, attrs, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
	if at, message, ok := strings.Cut(head, " "); ok && strings.Count(at, ":") == 2 {
		top[slog.TimeKey], head = at, message
	}
	top[slog.MessageKey] = head
	for _, pair := range strings.Fields(attrs) {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			t.Fatalf("%q has no value in %q", pair, line)
		}
		m, path := top, strings.Split(name, ".")
		for _, group := range path[:len(path)-1] {
			if m[group] == nil {
				m[group] = map[string]any{}
			}
			m = m[group].(map[string]any)
		}
		m[path[len(path)-1]] = value
	}
	return top
}

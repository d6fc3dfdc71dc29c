package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ramify/ramify/ledger"
)

func TestLineFollowsAndIsCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, term := newScreen(100)
		h := begin()
		f := Line(term, h.read)
		f.Start(t.Context())
		synctest.Wait()
		s.expect(t, "⣷  0% ▕        ▏  0 keys 0/s · 0 B 0 B/s · 0 nodes 0/s · 8 in flight · 0 failed · ETA —")
		time.Sleep(42*time.Second + 100*time.Millisecond)
		synctest.Wait()
		s.expect(t, "⣷ 42% ▕███▎    ▏  840 keys 20/s · 0 B 0 B/s · 42 nodes 1.0/s · 8 in flight · 0 failed · ETA 58s")
		Logger(term, true, false).Warn("slow down", "key", "a\nb")
		if got := s.lines(); len(got) != 2 || !strings.HasSuffix(got[0], ` warn slow down  key=a\nb`) {
			t.Errorf("the screen has %q, want the log line above", got)
		}
		f.Stop()
		if got := s.lines(); len(got) != 1 {
			t.Errorf("the screen has %q, want the log line alone", got)
		}
		if r, err := f.Last(); r.Objects != 840 || err != nil {
			t.Errorf("last reading has %d keys, error %v", r.Objects, err)
		}
		f.Stop()
	})
}

func TestLineEndsWithTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, term := newScreen(100)
		h := begin()
		f := Line(term, h.read)
		f.Start(t.Context())
		<-f.Done()
		if r, err := f.Last(); r.State != Finished || r.Fraction != 1 || err != nil {
			t.Errorf("ended with %+v, %v", r, err)
		}
		s.expect(t)
		f.Stop()
	})
}

func TestWatchRefreshesATableThatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, term := newScreen(80)
		h := begin()
		f := Watch(term, h.read)
		f.Start(t.Context())
		time.Sleep(50*time.Second + time.Millisecond)
		synctest.Wait()
		s.expect(t,
			"run        r",
			"target     s3://b/",
			"state      running",
			"done       50.0%  ▕██████████          ▏ ETA 50s (49–51s)",
			"elapsed    50.0 s",
			"keys       1,000  20/s",
			"bytes      0 B    0 B/s",
			"nodes      50     1.0/s",
			"requests   50     1.0/s",
			"retries    0",
			"in flight  8      of 8 slots, 1 worker",
			"failed     0")
		<-f.Done()
		s.expect(t,
			"run       r",
			"target    s3://b/",
			"state     finished",
			"done      100.0%  ▕████████████████████▏",
			"elapsed   1m40s",
			"keys      2,000   20/s",
			"bytes     0 B     0 B/s",
			"nodes     100     1.0/s",
			"requests  100     1.0/s",
			"retries   0",
			"failed    0")
	})
}

func TestWatchWritesLinesWhereThereIsNoTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b text
		h := begin()
		f := Watch(&Terminal{w: &b}, h.read)
		f.Start(t.Context())
		<-f.Done()
		lines := b.lines()
		if len(lines) != 21 { // at 0, 5, … 95 s, and the end
			t.Errorf("%d lines", len(lines))
		}
		same(t, lines[10], "running 50% ▕████    ▏  1.0k keys 20/s · 0 B 0 B/s · 50 nodes 1.0/s · 8 in flight · 0 failed · ETA 50s (49–51s)")
		same(t, lines[len(lines)-1], "finished 100% ▕████████▏  2.0k keys 20/s · 0 B 0 B/s · 100 nodes 1.0/s · 0 in flight · 0 failed")
	})
}

func TestLogIsFewRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b text
		h := begin()
		f := Log(Logger(&b, false, false), h.read)
		f.Start(t.Context())
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if got := b.lines(); got[0] != "" {
			t.Errorf("a run of 4 s has logged %q", got)
		}
		<-f.Done()
		lines := b.lines()
		if len(lines) != 19 { // at 5, 10, … 95 s
			t.Fatalf("%d records", len(lines))
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(lines[9]), &got); err != nil {
			t.Fatal(err)
		}
		delete(got, "time")
		same(t, strings.ReplaceAll(fmt.Sprint(got), " ", "\n"), strings.ReplaceAll("map[bytes:0 bytes_per_second:0 eta_high_seconds:51 eta_low_seconds:49 eta_seconds:50 failed:0 fraction:0.5 in_flight:8 level:INFO msg:progress nodes:50 nodes_per_second:1 objects:1000 objects_per_second:20 requests:50 retries:0 run:r seconds:50 slots:8 state:running workers:1]", " ", "\n"))
	})
}

func TestAFailingSourceIsBorneForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, term := newScreen(100)
		h := begin()
		f := Line(term, h.read)
		f.Start(t.Context())
		time.Sleep(10*time.Second + time.Millisecond)
		h.fail(errors.New("throttled"))
		time.Sleep(75 * time.Second) // a server is gone for a minute
		synctest.Wait()
		if got := s.lines(); len(got) != 1 || !strings.Contains(got[0], "10%") {
			t.Errorf("meanwhile the screen has %q, want the last figures", got)
		}
		h.fail(nil)
		time.Sleep(time.Second)
		h.fail(errors.New("throttled"))
		time.Sleep(patience - time.Second)
		select {
		case <-f.Done():
			t.Error("it gave up too soon")
		default:
		}
		<-f.Done()
		r, err := f.Last()
		if err == nil || !strings.Contains(err.Error(), "throttled") || r.Objects == 0 {
			t.Errorf("ended with %v, and the last reading %+v", err, r)
		}
		s.expect(t)
	})
}

func TestARunThatIsNotThereEndsItAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, term := newScreen(100)
		h := begin()
		h.fail(fmt.Errorf("read run r: %w", ledger.ErrNoRun))
		f := Watch(term, h.read)
		f.Start(t.Context())
		<-f.Done()
		if _, err := f.Last(); !errors.Is(err, ledger.ErrNoRun) || h.reads != 1 {
			t.Errorf("ended with %v after %d reads", err, h.reads)
		}
	})
}

func TestStopCancelsAReadThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, term := newScreen(100)
		var cause error
		f := Line(term, func(ctx context.Context) (Snapshot, error) {
			<-ctx.Done()
			cause = context.Cause(ctx)
			return Snapshot{}, ctx.Err()
		})
		f.Start(t.Context())
		synctest.Wait()
		f.Stop()
		if _, err := f.Last(); err != nil || !errors.Is(cause, errStopped) {
			t.Errorf("error %v, cause %v", err, cause)
		}
	})
}

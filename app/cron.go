package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
	ledgerdb "github.com/ramify/ramify/ledger/embedded"
	programs "github.com/ramify/ramify/processor/command"
	"github.com/ramify/ramify/processor/s3crawl"
	hook "github.com/ramify/ramify/processor/webhook"
	"github.com/ramify/ramify/schedule"
	"github.com/ramify/ramify/schema"
)

type cronCmd struct {
	File string `arg:"" help:"The file of schedules: cron.yaml, also that of an Elastic Beanstalk worker environment; or one schedule as JSON."`
	startFlags
	Next int    `env:"-" help:"Print the next ticks of each schedule, so many, and end." placeholder:"N"`
	Fire string `env:"-" help:"Start one schedule at the tick of --at, unless it was, and end: for clocks of others." placeholder:"NAME"`
	At   string `env:"-" help:"The tick of --fire, such as 2026-01-31T02:30:00Z." placeholder:"TIME"`

	Compat string `help:"sqsd: send periodic tasks to the queue, as Elastic Beanstalk's daemon does." placeholder:"sqsd"`
}

// Run implements the command.
func (c *cronCmd) Run(ctx context.Context, g *cli, std streams) error {
	file, err := c.read()
	if err != nil {
		return err
	}
	if c.Next > 0 {
		return c.next(file, std, time.Now())
	}
	if c.Compat != "" && c.Fire != "" {
		return usagef("--fire is %q, and --compat sqsd sends what is due, as often as it is told: leave out one of them", c.Fire)
	}
	if (c.Fire == "") != (c.At == "") {
		return usagef("--fire and --at go together: want --fire NAME --at 2026-01-31T02:30:00Z")
	}
	if c.Compat != "" {
		return c.relay(ctx, file, g, std)
	}
	log := console.Logger(std.err, false, g.Verbose)
	if c.Fire != "" {
		return c.fire(ctx, file, g, std, log)
	}
	s, err := c.open(ctx, g, std, log, "cron")
	if err != nil {
		return err
	}
	defer s.close()
	stop := s.pickUp(ctx, func(run string, _ ledger.Run) bool {
		return slices.ContainsFunc(file.Schedules, func(what *schedule.Schedule) bool { return what.Begins(run) })
	})
	defer stop()
	return c.keep(ctx, file, s, s.tick)
}

// read reads the file, and what its jobs are.
func (c *cronCmd) read() (file *schedule.File, err error) {
	if strings.HasPrefix(strings.TrimSpace(c.File), "{") {
		file, err = schedule.ParseFile("FILE", []byte(c.File))
	} else {
		file, err = schedule.Read(c.File)
	}
	if err != nil {
		return nil, usageError{err}
	}
	jobs, err := c.readJobs()
	if err != nil {
		return nil, err
	}
	for _, s := range file.Schedules {
		switch {
		case s.Job != "" && jobs == nil:
			return nil, usagef("%s: schedule %s is of job %s: name the file that says what it is by --jobs or RAMIFY_JOBS", c.File, s.Name, s.Job)
		case s.Job != "":
			if _, err := programs.Root(jobs, s.Job, s.Values(time.Now())); err != nil {
				return nil, usagef("%s: schedule %s: %w", c.File, s.Name, err)
			}
		case s.URL != "" && c.WebhookURL == "" && !c.given() && c.Compat == "" && c.Next == 0:
			return nil, usagef("%s: schedule %s posts to an application, and it is not said to which: set --webhook-url or RAMIFY_WEBHOOK_URL", c.File, s.Name)
		case s.Target != "":
			if _, err := parseTarget(s.Target, string(s3crawl.Range)); err != nil {
				return nil, usagef("%s: schedule %s: %w", c.File, s.Name, err)
			}
		}
	}
	return file, nil
}

// next prints ticks to come.
func (c *cronCmd) next(file *schedule.File, std streams, now time.Time) error {
	t := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	for _, s := range file.Schedules {
		tick := now
		for range c.Next {
			if tick = s.When.Next(tick); tick.IsZero() {
				break
			}
			fmt.Fprintf(t, "%s\t%s\t%s\n", s.Name, tick.Format(time.RFC3339), s.When.Zone())
		}
	}
	return t.Flush()
}

// target is what a tick of a schedule starts. What parameters hold is no part of its
// name, which is in logs.
func targetOf(s *schedule.Schedule, tick time.Time) (target, error) {
	switch {
	case s.Job != "":
		return namedJob(jobScheme+s.Job, s.Job, s.Values(tick)), nil
	case s.Target != "":
		return parseTarget(s.Target, string(s3crawl.Range))
	}
	args, err := json.Marshal(map[string]any{
		"webhook": map[string]string{"path": s.URL, "task": s.Task, "at": tick.UTC().Format(time.RFC3339)},
	})
	if err != nil {
		return target{}, err
	}
	node, err := json.Marshal(map[string]any{"kind": hook.Kind, "id": s.Name, "args": schema.Args(args)})
	if err != nil {
		return target{}, err
	}
	return parseTarget(string(node), string(s3crawl.Range))
}

func (s *starter) tick(ctx context.Context, what *schedule.Schedule, tick time.Time) error {
	target, err := targetOf(what, tick)
	if err != nil {
		return err
	}
	_, err = s.once(ctx, target, what.Run(tick))
	return err
}

// fire starts one tick, whose time somebody else knows. He does not know whether that was
// a success, so on a fleet it is tried again for as long as a clock would.
func (c *cronCmd) fire(ctx context.Context, file *schedule.File, g *cli, std streams, log *slog.Logger) error {
	for begun := time.Now(); ; {
		s, err := c.open(ctx, g, std, log, "cron")
		if err == nil {
			err = c.fireOnce(ctx, file, s)
			s.close()
		}
		usage, code := usageError{}, exitError(0)
		if err == nil || !c.given() || errors.As(err, &usage) || errors.As(err, &code) || time.Since(begun) >= schedule.Late {
			return err
		}
		log.Warn("a tick cannot be started yet; it is tried again", "schedule", c.Fire, "at", c.At, "error", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(schedule.Again):
		}
	}
}

func (c *cronCmd) fireOnce(ctx context.Context, file *schedule.File, s *starter) error {
	at, err := time.Parse(time.RFC3339, c.At)
	if err != nil {
		return usagef("--at is %q, want a time such as 2026-01-31T02:30:00Z", c.At)
	}
	at = at.Truncate(time.Minute)
	var names []string
	for _, what := range file.Schedules {
		if names = append(names, what.Name); what.Name != c.Fire {
			continue
		}
		target, err := targetOf(what, at)
		if err != nil {
			return err
		}
		began, err := s.once(ctx, target, what.Run(at))
		if err != nil {
			return err
		}
		if !began {
			return say(s.std.err, "run %s was begun before\n", what.Run(at))
		}
		if err := say(s.std.err, "run %s\n", what.Run(at)); err != nil {
			return err
		}
		return s.wait(ctx)
	}
	return usagef("--fire is %q, want one of %s: %s", c.Fire, c.File, strings.Join(names, ", "))
}

// keep starts what is due until ctx ends.
func (c *cronCmd) keep(ctx context.Context, file *schedule.File, s *starter, start func(context.Context, *schedule.Schedule, time.Time) error) error {
	l, done, err := s.marks(ctx)
	if err != nil {
		return err
	}
	defer done()
	host, _ := os.Hostname() // for whoever reads the lease
	clock := schedule.New(schedule.Options{
		Schedules: file.Schedules, Ledger: l, Owner: host + " " + strconv.FormatUint(uint64(schema.NewMID()), 36), Log: s.log,
		Start: start,
	})
	for _, what := range file.Schedules {
		s.log.Info("schedule", "schedule", what.Name, "cron", what.When.String(), "zone", what.When.Zone().String(), "missed", string(what.Missed), "next", what.When.Next(time.Now()))
	}
	clock.Start(ctx)
	<-ctx.Done()
	s.log.Info("draining", "grace", s.grace.String())
	clock.Stop()
	return nil
}

// marks are where it is kept which ticks have been looked after: by the fleet's
// ledger, or in a file of this machine that all clocks of the folder share.
func (s *starter) marks(ctx context.Context) (schedule.Ledger, func(), error) {
	if s.fleet != nil {
		return s.fleet.records, func() {}, nil
	}
	path := filepath.Join(s.g.State, "cron", "ticks.db")
	st, err := store.Open(path, store.Options{})
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", path, err)
	}
	l, err := ledgerdb.Open(ctx, st)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open %s: %w", path, err), st.Close())
	}
	return l, func() {
		_ = l.Close()
		_ = st.Close()
	}, nil
}

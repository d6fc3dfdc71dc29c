package app

import (
	"context"
	"time"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/schedule"
	"github.com/ramify/ramify/sqsd"
)

// relay sends periodic tasks that are due to the queue of an application of its own.
// There are no runs; the ledger, if there is one, has the marks.
func (c *cronCmd) relay(ctx context.Context, file *schedule.File, g *cli, std streams) error {
	var mode string
	if err := readSettings([]setting{{"compat", c.Compat, one(&mode, "sqsd")}}); err != nil {
		return err
	}
	for _, s := range file.Schedules {
		if s.URL == "" {
			return usagef("%s: schedule %s is no periodic task, and --compat sqsd sends those alone: want url", c.File, s.Name)
		}
	}
	s := &starter{g: g, std: std, flags: &c.startFlags, log: console.Logger(std.err, false, g.Verbose)}
	f, err := c.find(ctx)
	if err != nil {
		return err
	}
	defer f.close()
	if err := f.openQueue(ctx); err != nil {
		return err
	}
	if f.Ledger != "" && f.Ledger != ledgerNone {
		s.fleet = f
		if err := f.openLedger(ctx); err != nil {
			return err
		}
	}
	return c.keep(ctx, file, s, func(ctx context.Context, what *schedule.Schedule, tick time.Time) error {
		err := f.main.Send(ctx, []queue.Entry{sqsd.Periodic(what.Task, what.URL, tick)})[0]
		if err == nil {
			s.log.Info("periodic task is sent", "schedule", what.Name, "task", what.Task, "at", tick.UTC())
		}
		return err
	})
}

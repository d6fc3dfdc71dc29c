package app

import (
	"context"
	"time"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/internal/health"
	"github.com/ramify/ramify/sqsd"
)

// compatFlags have a task stand in for somebody else's program.
type compatFlags struct {
	Compat          string `help:"sqsd: hand every message of the queue, whatever it is, to the application of --webhook-url, as Elastic Beanstalk's daemon does." placeholder:"sqsd"`
	ErrorVisibility string `help:"With --compat: time until a message is seen again that was not answered by 200." default:"2s" placeholder:"DURATION"`
}

// runCompat passes messages on until ctx ends: there is no ledger, and no dead-letter
// queue but the queue's own.
func (c *taskCmd) runCompat(ctx context.Context, g *cli, std streams) error {
	var mode string
	var errorVisibility time.Duration
	err := readSettings([]setting{
		{"compat", c.Compat, one(&mode, "sqsd")},
		{"error-visibility", c.ErrorVisibility, duration(&errorVisibility, 0, 12*time.Hour)},
	})
	if err != nil {
		return err
	}
	s, err := c.settings(anywhere())
	if err != nil {
		return err
	}
	if s.hooks == nil {
		return usagef("--compat is sqsd, but it is not said which application messages are handed to: set --webhook-url or RAMIFY_WEBHOOK_URL, such as http://localhost:80/")
	}
	f, err := c.find(ctx)
	if err != nil {
		return err
	}
	defer f.close()
	w := &worker{c: c, f: f, s: s, std: std, plight: newPlight()}
	w.identify(ctx, console.Logger(std.err, false, g.Verbose))
	if err := f.openKeys(ctx, w.log); err != nil {
		return err
	}
	if err := f.openQueue(ctx); err != nil {
		return err
	}
	s.hooks.o.Rooted = true
	s.hooks.open(f.keys, f.main.Name())
	defer s.hooks.client.Close()
	if w.health, err = health.New(s.health, w.plight.alive, w.log); err != nil {
		return err
	}
	rarely := &rarely{log: w.log}
	d := sqsd.New(sqsd.Options{
		Queue: f.main, Application: s.hooks.client, Connections: s.hooks.o.Connections,
		Visibility: s.visibility, ErrorVisibility: errorVisibility, Grace: s.grace, Log: w.log,
		Trouble: func(err error) {
			rarely.trouble(err)
			w.plight.trouble(err)
		},
	})
	if err := w.health.Start(ctx); err != nil {
		return err
	}
	f.watch.Start()
	w.log.Info("daemon begins", "version", version(), "compat", mode, "queue", f.main.Name(), "dead_letters", f.main.DeadLetters(),
		"application", s.hooks.o.URL.String(), "connections", s.hooks.o.Connections, "signed", f.keys != nil,
		"visibility", s.visibility.String(), "error_visibility", errorVisibility.String(), "health", w.health.Address())
	if f.main.DeadLetters() == "" {
		w.log.Warn("the queue has no dead-letter queue: a message that is never answered by 200 is tried until the queue forgets it")
	}
	d.Start(ctx)
	err = w.waitFor(ctx, d.Idle)
	w.log.Info("draining", "grace", s.grace.String())
	d.Stop()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	w.health.Stop(last)
	delivered, failed := d.Counts()
	w.log.Info("stopped", "delivered", delivered, "failed", failed)
	return err
}

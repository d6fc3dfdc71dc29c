package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/alecthomas/kong"

	"github.com/ramify/ramify/guard"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/web"
)

// webFlag is --web, or --web=HOST:PORT.
type webFlag struct{ address string } // "": no page

// IsBool says that it needs no value.
func (webFlag) IsBool() bool { return true }

// Decode implements kong.MapperValue.
func (f *webFlag) Decode(ctx *kong.DecodeContext) error {
	f.address = "127.0.0.1:0"
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		return nil
	}
	value := fmt.Sprint(ctx.Scan.Pop().Value)
	if on, err := strconv.ParseBool(value); err == nil {
		if !on {
			f.address = ""
		}
		return nil
	}
	f.address = value
	return nil
}

// limits of the page: a browser asks for all its parts at once.
const (
	pageRate  = 50
	pageBurst = 200
)

// runPage is the page of a run, for as long as somebody works on it or looks at it.
type runPage struct {
	guard *guard.Server
	web   *web.Server
	url   string
	asked func() time.Time // when somebody last asked for anything; zero: nobody has
	again chan redriven    // asked for by a button, once the run is over
}

// redriven is a redrive that was asked for; its answer is the error for which there
// is none.
type redriven chan error

// open serves the page of a run of this machine that is about to begin; nil where none
// is asked for.
func (f webFlag) open(ctx context.Context, w *work, run string) (*runPage, error) {
	if f.address == "" {
		return nil, nil
	}
	token := newToken()
	p := &runPage{again: make(chan redriven)}
	runs := &folder{g: w.g, starts: func(of string) func(context.Context, bool) error {
		if of != run {
			return nil
		}
		return p.order
	}}
	p.web = web.New(web.Options{Runs: runs, Tokens: []string{token}, Log: w.log})
	p.asked = p.web.Asked
	var err error
	if p.guard, err = guard.New(guard.Options{
		Address: f.address, Tokens: []string{token}, Open: web.Open, Rate: pageRate, Burst: pageBurst, Log: w.log,
	}); errors.Is(err, guard.ErrBeyond) {
		return nil, usagef("--web: listen on %s: %w; `ramify serve` shows it there, to who has a token or a certificate", f.address, guard.ErrBeyond)
	} else if err != nil {
		return nil, usagef("--web: %w", err)
	}
	mux := http.NewServeMux()
	p.web.Mount(mux)
	if err := p.guard.Start(ctx, mux); err != nil {
		return nil, fmt.Errorf("--web: %w", err)
	}
	p.url = pageURL(p.guard.Address(), false, token, run)
	return p, nil
}

// order passes a button on to the command.
func (p *runPage) order(ctx context.Context, redrive bool) error {
	if !redrive {
		return usagef("the run is being worked on")
	}
	asked := make(redriven, 1)
	select {
	case p.again <- asked:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-asked:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unwatched is for how long nobody has asked for anything when a page counts as
// closed: one that is open asks every ten seconds, but browsers let the timers of a
// page that is hidden for long run once a minute.
//
// Source: Chrome for Developers, "Heavy throttling of chained JS timers beginning in
// Chrome 88".
const unwatched = 75 * time.Second

// unopened is for how long a page that nobody has opened yet stays after the end of a
// run that somebody started at a terminal: a short one is over before he has clicked.
const unopened = time.Minute

// linger waits, after the end of a run, until nobody looks at it any more, or somebody
// asks for a redrive, which it then begins; nil: there is none.
func (p *runPage) linger(ctx context.Context, w *work, st *state) sink.Sink {
	if w.term.TTY() && p.asked().IsZero() {
		fmt.Fprintf(w.std.err, "page %s, for a minute and then for as long as you look at it; Ctrl-C ends it\n", p.url)
	}
	for {
		asked := p.stay(ctx, w.term.TTY())
		if asked == nil {
			return nil
		}
		out, err := w.redrive(ctx, st)
		asked <- err
		if err == nil {
			return out
		}
		w.log.Warn("no redrive", "run", st.run, "error", err)
	}
}

// stay waits until somebody asks for a redrive, which it returns, or until nobody looks
// any more: nil. Where people may come yet, they have a while for it.
func (p *runPage) stay(ctx context.Context, mayCome bool) redriven {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	over := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case asked := <-p.again:
			return asked
		case <-look.C:
		}
		switch asked := p.asked(); {
		case !asked.IsZero() && time.Since(asked) > unwatched:
			return nil
		case asked.IsZero() && (!mayCome || time.Since(over) >= unopened):
			return nil
		}
	}
}

// redrive begins the next epoch of a run that this process works on.
func (w *work) redrive(ctx context.Context, st *state) (sink.Sink, error) {
	r, err := seed.Redrive(ctx, st.ledger, st.poster(), st.run)
	if errors.Is(err, ledger.ErrConflict) {
		return nil, cannotRedrive(r)
	}
	if err != nil {
		return nil, err
	}
	return st.openSink(ctx, r, w.std)
}

// stop ends the page's streams, and lets answers go out that are under way.
func (p *runPage) stop(ctx context.Context) {
	if p == nil {
		return
	}
	p.web.Stop()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	p.guard.Stop(last)
}

// workSeen is work, on a page if one is asked for: that stays for as long as somebody
// looks at it after the end.
func (w *work) workSeen(ctx context.Context, st *state, out sink.Sink, p *runPage) error {
	if p == nil {
		return w.work(ctx, st, out)
	}
	for {
		err := w.work(ctx, st, out)
		r, reading := st.ledger.Run(context.WithoutCancel(ctx), st.run)
		if ctx.Err() != nil || reading != nil || !r.State.Over() {
			return err
		}
		if out = p.linger(ctx, w, st); out == nil {
			return err
		}
	}
}

package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/guard"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	programs "github.com/ramify/ramify/processor/command"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/trigger"
	"github.com/ramify/ramify/web"
)

// tokenVar holds the tokens: everybody on a machine can read the arguments of a
// command, so there is no flag.
const tokenVar = "RAMIFY_TOKEN"

type serveCmd struct {
	Listen   string   `help:"Where to listen; without a host, on loopback." default:"127.0.0.1:8008" placeholder:"HOST:PORT"`
	Host     []string `help:"A name that requests may be for, beside loopback's and the certificate's (repeatable)." placeholder:"NAME"`
	TLSCert  string   `name:"tls-cert" help:"The server's certificate, PEM." placeholder:"FILE"`
	TLSKey   string   `name:"tls-key" help:"Its key." placeholder:"FILE"`
	ClientCA string   `name:"client-ca" help:"The authority whose certificates clients must have." placeholder:"FILE"`
	Rate     float64  `help:"Requests a second; 0: no limit." default:"10" placeholder:"N"`
	MaxBody  string   `help:"Bytes of a request's body at most." default:"65536" placeholder:"N"`
	JobStart bool     `help:"Answer GET /job_start?job_name=NAME, too, as jobz did."`
	startFlags
	priceFlags
}

// Run implements the command.
func (c *serveCmd) Run(ctx context.Context, g *cli, std streams) error {
	var most int
	if err := readSettings([]setting{{"max-body", c.MaxBody, number(&most, 1, 1<<20)}}); err != nil {
		return err
	}
	if c.Rate < 0 {
		return usagef("--rate is %v, want 0 or more", c.Rate)
	}
	if _, err := c.prices(nil); err != nil {
		return err
	}
	tokens, err := readTokens(os.Getenv(tokenVar))
	if err != nil {
		return err
	}
	if c.JobStart && c.Jobs == "" {
		return usagef("--job-start is set, but it is not said which jobs may be started: set --jobs or RAMIFY_JOBS to their file")
	}
	if _, err := c.readJobs(); err != nil {
		return err
	}
	tokens, seen := c.doors(tokens)
	log := console.Logger(std.err, false, g.Verbose)
	server, err := guard.New(guard.Options{
		Address: c.Listen, Hosts: c.Host, Tokens: tokens, TLS: guard.TLS{Cert: c.TLSCert, Key: c.TLSKey, ClientCA: c.ClientCA},
		MaxBody: int64(most), Rate: c.Rate, Burst: pageBurst, Audit: console.JSONLines(std.out), Log: log, Open: web.Open,
	})
	if err != nil {
		return usageError{err}
	}
	mux := http.NewServeMux()
	var seenRuns web.Runs
	var s *starter
	if c.Jobs != "" || !c.given() { // who only looks at a fleet need not be able to post to it
		if s, err = c.open(ctx, g, std, log, "serve"); err != nil {
			return err
		}
		defer s.close()
	}
	if c.given() {
		sh, err := openShore(ctx, g, &c.startFlags, &c.priceFlags)
		if err != nil {
			return err
		}
		defer sh.close()
		seenRuns = sh
	} else {
		seenRuns = &folder{g: g, starts: s.asksOn}
	}
	// What else is served goes onto this mux: the guard stands before all of it.
	if c.Jobs != "" {
		jobs := c.jobsParams()[paramJobs]
		stop := s.pickUp(ctx, func(_ string, r ledger.Run) bool { return r.Options.Params[paramJobs] == jobs })
		defer stop()
		trigger.Mount(mux, trigger.Options{Start: s.asked, Old: c.JobStart})
	}
	page := web.New(web.Options{Runs: seenRuns, Tokens: seen, Log: log})
	page.Mount(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		guard.Refuse(w, r, http.StatusNotFound, "there is nothing of that name: want POST /jobs/NAME, or GET / for the page")
	})
	if err := server.Start(ctx, mux); err != nil {
		return err
	}
	given := ""
	if len(seen) > 0 && (c.Jobs != "" || os.Getenv(tokenVar) == "") { // it was made just now
		given = seen[0]
	}
	fmt.Fprintf(std.err, "page %s\n", pageURL(server.Address(), c.TLSCert != "", given, ""))
	log.Info("serve begins", "version", version(), "address", server.Address(), "tls", c.TLSCert != "", "client_certificates", c.ClientCA != "", "tokens", len(tokens))
	<-ctx.Done()
	log.Info("draining", "grace", c.Grace)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	page.Stop()
	server.Stop(last)
	return nil
}

// doors are the tokens that requests must bear, and those that let people see runs and
// steer them. Who may start jobs may not do that, too: where jobs are served the page has
// a token of its own.
func (c *serveCmd) doors(tokens []string) (all, page []string) {
	switch {
	case c.Jobs == "" && (len(tokens) > 0 || c.ClientCA != ""):
		return tokens, tokens // by their certificates, where there are no tokens
	case c.Jobs == "":
		page = []string{newToken()}
		return page, page
	default:
		page = []string{newToken()}
		if len(tokens) > 0 { // else anybody on this machine may start jobs, or who has a certificate
			tokens = append(tokens, page...)
		}
		return tokens, page
	}
}

// readTokens reads one token, or some with commas between them, or the file that
// holds them, one a line.
func readTokens(value string) (tokens []string, err error) {
	split := ","
	if path, is := strings.CutPrefix(value, "file:"); is {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, usagef("%s: %w", tokenVar, err)
		}
		value, split = string(text), "\n"
	}
	for t := range strings.SplitSeq(value, split) {
		if t = strings.TrimSpace(t); t != "" {
			tokens = append(tokens, t)
		}
	}
	if value != "" && len(tokens) == 0 {
		return nil, usagef("%s holds no token", tokenVar)
	}
	return tokens, nil
}

// asked starts a job that somebody asks for.
func (s *starter) asked(ctx context.Context, j trigger.Job) (trigger.Started, error) {
	file, err := s.flags.readJobs()
	if err != nil {
		return trigger.Started{}, err
	}
	if _, err := file.Job(j.Name); err != nil {
		return trigger.Started{}, refusal{trigger.ErrUnknown, "no job " + j.Name}
	}
	root, err := programs.Root(file, j.Name, j.Params)
	if err != nil {
		return trigger.Started{}, refusal{trigger.ErrParams, oneLine(err)}
	}
	if j.Run == "" {
		j.Run = seed.Name(time.Now())
	}
	if err := schema.CheckRunName(j.Run); err != nil {
		return trigger.Started{}, err
	}
	began, err := s.once(ctx, namedJob(jobScheme+j.Name, j.Name, j.Params), j.Run)
	if errors.Is(err, errNoSlot) {
		return trigger.Started{}, refusal{trigger.ErrBusy, oneLine(err)}
	}
	if err == nil && !began {
		err = s.sameAs(ctx, j.Run, root)
	}
	return trigger.Started{Run: j.Run, Job: j.Name, Begun: began}, err
}

// sameAs refuses a key by which something else has been asked for before: whoever asks
// would take that for what he asks for now.
func (s *starter) sameAs(ctx context.Context, run string, root processor.Child) error {
	var r ledger.Run
	var err error
	if s.fleet != nil {
		r, err = s.fleet.records.Run(ctx, run)
	} else {
		var st *state
		if st, r, err = glance(ctx, s.g, run); err == nil {
			st.close()
		}
	}
	if err == nil && !bytes.Equal(r.Root.Args, root.Args) {
		return refusal{trigger.ErrKey, "the " + trigger.KeyHeader + " has started this job with other parameters: want a key of its own for each start"}
	}
	return err
}

// refusal is an error as whoever asked is told it.
type refusal struct {
	kind error
	text string
}

func (a refusal) Error() string        { return a.text }
func (a refusal) Is(target error) bool { return target == a.kind }

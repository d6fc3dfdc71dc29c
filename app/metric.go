package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/ledger/dynamodb"
	"github.com/ramify/ramify/metricfn"
	"github.com/ramify/ramify/scaling"
	"github.com/ramify/ramify/schema"
)

// metricCmd is package metricfn without Lambda. Its settings are text, which metricfn
// reads as it does the environment of the function.
type metricCmd struct {
	fleetFlags
	Fleet   string `help:"Name of the fleet in the metrics (default: the stack's)." placeholder:"NAME"`
	Cluster string `help:"The service's cluster: name or ARN." placeholder:"NAME"`
	Service string `help:"The ECS service whose tasks work: name or ARN." placeholder:"NAME"`

	Once     bool `help:"Look once (default: every minute, every ten seconds while there is work)."`
	Governor bool `negatable:"" help:"Set how many tasks the service has, as the metrics' arithmetic wants it; needs --min and --max."`
	JSON     bool `name:"json" help:"Print one JSON object a look."`

	Min         string `help:"Tasks at least." placeholder:"N"`
	Max         string `help:"Tasks at most." placeholder:"N"`
	Concurrency string `help:"Things a task does at a time." placeholder:"N"`
	Target      string `help:"Time in which a backlog is to be worked off." placeholder:"DURATION"`
	Launch      string `help:"Time from a decision to a running task." placeholder:"DURATION"`
	Latency     string `help:"Acceptable time until what is expected is done." placeholder:"DURATION"`
	Rule        string `help:"How the backlog is read: size or backlog." placeholder:"RULE"`
	priceFlags
}

// settings reads the flags as metricfn reads variables.
func (c *metricCmd) settings(f *fleet) (metricfn.Settings, error) {
	scalingIs := "target-tracking"
	if c.Governor {
		scalingIs = "governor"
		if f.knob("min", c.Min) == "" || f.knob("max", c.Max) == "" {
			return metricfn.Settings{}, usagef("--governor needs --min and --max: what else governs the service, as its stack, has the same")
		}
	}
	name := c.Fleet
	if name == "" {
		name = c.Stack
	}
	flags := map[string]string{
		"min": c.Min, "max": c.Max, "concurrency": c.Concurrency, "target": c.Target, "launch": c.Launch, "latency": c.Latency, "rule": c.Rule,
	}
	maps.Copy(flags, c.values())
	for flag, value := range flags {
		flags[flag] = f.knob(flag, value)
	}
	maps.Copy(flags, map[string]string{
		"fleet": name, "queue": f.Queue, "ledger": f.Ledger, "cluster": f.cluster, "service": f.service, "scaling": scalingIs,
	})
	s, err := metricfn.ReadSettings(func(v string) string { return flags[flagOf(v)] })
	if field := (*schema.FieldError)(nil); errors.As(err, &field) && field.Value == "" {
		return s, usagef("it is not said what --%s is: set it or %s to %s, or --stack", flagOf(field.Field), field.Field, field.Want)
	}
	return s, f.badKnob(err)
}

// Run implements the command.
func (c *metricCmd) Run(ctx context.Context, g *cli, std streams) error {
	f, err := c.find(ctx)
	if err != nil {
		return err
	}
	defer f.close()
	if c.Cluster != "" {
		f.cluster = c.Cluster
	}
	if c.Service != "" {
		f.service = c.Service
	}
	s, err := c.settings(f)
	if err != nil {
		return err
	}
	o := s.Options(f.cfg, nil)
	if s.Table != "" {
		f.records = dynamodb.New(f.cfg, s.Table, dynamodb.Options{}) // one that is away is a part that fails
		o = s.Options(f.cfg, f.records)
	}
	o.Log = slog.New(slog.DiscardHandler) // what fails is printed
	if g.Verbose {
		o.Log = console.Logger(std.err, false, true)
	}
	return c.look(ctx, metricfn.New(o), &looks{out: std.out, err: std.err, fleet: s.Fleet, json: c.JSON})
}

// look looks once, or until it is told to stop.
func (c *metricCmd) look(ctx context.Context, fn *metricfn.Function, p *looks) error {
	if c.Once {
		r := fn.Look(ctx)
		if err := p.print(r); err != nil {
			return err
		}
		if len(r.Failures) > 0 {
			return exitError(exitFailures)
		}
		return nil
	}
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	for {
		// What cannot be published now may be in a minute.
		_ = fn.Minute(ctx, func(r metricfn.Report) { p.failed = errors.Join(p.failed, p.print(r)) })
		if p.failed != nil {
			return p.failed
		}
		select {
		case <-ctx.Done():
			return nil
		case <-minute.C:
		}
	}
}

// looks prints what looks have seen.
type looks struct {
	out, err io.Writer
	fleet    string
	json     bool
	failed   error
}

// lookLine is a look as --json prints it.
type lookLine struct {
	At       time.Time          `json:"at"`
	Fleet    string             `json:"fleet"`
	Metrics  map[string]float64 `json:"metrics"`
	Runs     []lookRun          `json:"runs,omitempty"`
	Desired  *int               `json:"desired,omitempty"` // nothing where nothing is decided
	Reason   scaling.Reason     `json:"reason"`
	Applied  bool               `json:"applied"`
	Failures []lookFailure      `json:"failures,omitempty"`
}

type lookRun struct {
	Run          string  `json:"run"`
	FractionDone float64 `json:"fraction_done"`
	Failures     int64   `json:"failures"`
	Cost         float64 `json:"cost"`
}

type lookFailure struct {
	Part  metricfn.Part `json:"part"`
	Error string        `json:"error"`
}

func (p *looks) print(r metricfn.Report) error {
	if p.json {
		l := lookLine{At: r.At.UTC(), Fleet: p.fleet, Metrics: map[string]float64{}, Reason: r.Decision.Reason, Applied: r.Applied}
		if r.Decision.Reason != scaling.Unknown {
			l.Desired = &r.Decision.Desired
		}
		for _, m := range r.Metrics {
			l.Metrics[m.Name] = m.Value
		}
		for _, x := range r.Runs {
			l.Runs = append(l.Runs, lookRun{x.Run, x.FractionDone, x.Failures, x.Cost})
		}
		for _, x := range r.Failures {
			l.Failures = append(l.Failures, lookFailure{x.Part, oneLine(x.Error)})
		}
		return json.NewEncoder(p.out).Encode(l)
	}
	t := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s\tfleet %s\n", r.At.UTC().Format(time.RFC3339), p.fleet)
	for _, m := range r.Metrics {
		fmt.Fprintf(t, "%s\t%.4g\t%s\n", m.Name, m.Value, strings.ToLower(m.Unit))
	}
	for _, x := range r.Runs {
		fmt.Fprintf(t, "run %s\t%.1f %%\tfailures %d, cost about $%.4f\n", x.Run, 100*x.FractionDone, x.Failures, x.Cost)
	}
	changed := ""
	if r.Applied {
		changed = ", which it now is"
	}
	fmt.Fprintf(t, "decision\t%s%s\n", r.Decision, changed)
	for _, x := range r.Failures {
		fmt.Fprintf(p.err, "ramify: look at %s: %s\n", x.Part, oneLine(x.Error))
	}
	return t.Flush()
}

package metricfn

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/plan"
	"github.com/ramify/ramify/scaling"
	"github.com/ramify/ramify/schema"
)

// Settings are what a look needs to know of a fleet: the environment of the function,
// or flags.
type Settings struct {
	Fleet            string
	Queue            string // name or URL
	Table            string // of the ledger; "" where there is none
	Cluster, Service string
	Govern           bool
	Knobs            scaling.Knobs
	Prices           Prices
	Debug            bool
}

// Variables of the environment; docs/metrics.md has them in a table. In flags the
// prefix is missing.
const (
	varFleet       = "RAMIFY_FLEET"
	varQueue       = "RAMIFY_QUEUE"
	varLedger      = "RAMIFY_LEDGER"
	varCluster     = "RAMIFY_CLUSTER"
	varService     = "RAMIFY_SERVICE"
	varScaling     = "RAMIFY_SCALING"
	varMin         = "RAMIFY_MIN"
	varMax         = "RAMIFY_MAX"
	varConcurrency = "RAMIFY_CONCURRENCY"
	varTarget      = "RAMIFY_TARGET"
	varLaunch      = "RAMIFY_LAUNCH"
	varLatency     = "RAMIFY_LATENCY"
	varRule        = "RAMIFY_RULE"
	varCPU         = "RAMIFY_CPU"
	varMemory      = "RAMIFY_MEMORY"
	varArch        = "RAMIFY_ARCH"
	varSpot        = "RAMIFY_SPOT"
	varDisk        = "RAMIFY_DISK"
	varPublicIP    = "RAMIFY_PUBLIC_IP"
	varTaskPrice   = "RAMIFY_TASK_PRICE"
	varLog         = "RAMIFY_LOG"
)

// Source: Amazon DynamoDB Developer Guide, "Naming rules".
var table = regexp.MustCompile(`^dynamodb:([a-zA-Z0-9_.-]{3,255})$`)

// Source: Amazon CloudWatch API Reference, "Dimension"; names of stacks are shorter.
var fleet = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// taskConcurrency is that of a `ramify task` that is told nothing; a test of cmd/ramify
// compares them. A fleet that is deployed says its own.
const taskConcurrency = 64

// ReadSettings reads the settings by get, which returns "" for what is not set; then
// the default holds. What is wrong is a *schema.FieldError that names the variable.
func ReadSettings(get func(variable string) string) (Settings, error) {
	r := reader{get: get}
	s := Settings{
		Fleet:   r.match(varFleet, fleet, "the name of the fleet's stack, letters, digits, '.', '_' and '-'"),
		Queue:   r.need(varQueue, "the name or URL of the fleet's queue"),
		Table:   r.ledger(),
		Cluster: r.need(varCluster, "the name or ARN of the service's cluster"),
		Service: r.need(varService, "the name or ARN of the fleet's service"),
		Govern:  r.one(varScaling, "governor", "target-tracking") == "governor",
		Debug:   r.one(varLog, "info", "debug") == "debug",
	}
	s.Knobs, s.Prices = r.knobs(), r.prices()
	if r.err == nil {
		r.err = named(s.Knobs.Check())
	}
	return s, r.err
}

// ReadKnobs reads what an owner of a fleet has decided, as ReadSettings does.
func ReadKnobs(get func(variable string) string) (scaling.Knobs, error) {
	r := reader{get: get}
	k := r.knobs()
	if r.err == nil {
		r.err = named(k.Check())
	}
	return k, r.err
}

func (r *reader) knobs() scaling.Knobs {
	k := scaling.Defaults()
	k.Concurrency = taskConcurrency
	k.Min = r.number(varMin, k.Min)
	k.Max = r.number(varMax, k.Max)
	k.Concurrency = r.number(varConcurrency, k.Concurrency)
	k.Target = r.duration(varTarget, k.Target)
	k.Launch = r.duration(varLaunch, k.Launch)
	k.Acceptable = r.duration(varLatency, k.Acceptable)
	k.Rule = scaling.Rule(r.one(varRule, string(scaling.Size), string(scaling.Backlog)))
	return k
}

// named says which variable a knob came from.
func named(err error) error {
	f, is := err.(*schema.FieldError) //nolint:errorlint // Check returns no other
	if !is {
		return err
	}
	field := f.Field
	if field == "acceptable" {
		field = "latency"
	}
	return &schema.FieldError{Field: "RAMIFY_" + strings.ToUpper(field), Value: f.Value, Want: f.Want}
}

// DefaultPrices are those of plan.PriceRegion at plan.PriceDate.
func DefaultPrices(s plan.Size) Prices {
	p := plan.DefaultPrices()
	return Prices{
		TaskHour: p.TaskHour(s), FirstHour: p.FirstHour(s),
		Message: p.Message(1), Inline: p.Message(math.Inf(1)),
		Requests: map[string]float64{
			"list": p.List, "put": p.List, "copy": p.List, "get": p.Get, "head": p.Get,
			// Of copies in parts.
			"copy-part": p.List, "put-part": p.List, "begin-upload": p.List, "complete-upload": p.List,
			"list-uploads": p.List, "list-parts": p.List, "tags": p.Get,
		},
	}
}

// ReadPrices reads what a task costs, and with it the rest, as ReadSettings does.
func ReadPrices(get func(variable string) string) (Prices, error) {
	r := reader{get: get}
	p := r.prices()
	return p, r.err
}

func (r *reader) prices() Prices {
	const unit, gib = 1024, 1024
	size := plan.Size{
		VCPU: r.amount(varCPU, unit) / unit, GB: r.amount(varMemory, 2*gib) / gib,
		ARM: r.one(varArch, "arm64", "x86_64") == "arm64", Spot: r.amount(varSpot, 0),
		Disk: r.amount(varDisk, 0), PublicIP: r.one(varPublicIP, "true", "false") == "true",
	}
	if size.Spot > 1 {
		r.bad(varSpot, "the part of tasks that are on Spot, 0 to 1")
	}
	p := DefaultPrices(size)
	if r.get(varTaskPrice) != "" {
		p.TaskHour, p.FirstHour = r.amount(varTaskPrice, 0), 0
	}
	return p
}

// reader keeps the first thing that is wrong.
type reader struct {
	get func(string) string
	err error
}

func (r *reader) bad(variable, want string) {
	if r.err == nil {
		r.err = &schema.FieldError{Field: variable, Value: r.get(variable), Want: want}
	}
}

func (r *reader) need(variable, want string) string {
	v := r.get(variable)
	if v == "" {
		r.bad(variable, want)
	}
	return v
}

func (r *reader) match(variable string, pattern *regexp.Regexp, want string) string {
	v := r.get(variable)
	if !pattern.MatchString(v) {
		r.bad(variable, want)
	}
	return v
}

// ledger reads the table of the ledger, "" where there is none.
func (r *reader) ledger() string {
	l := r.get(varLedger)
	if l == "none" {
		return ""
	}
	m := table.FindStringSubmatch(l)
	if m == nil {
		r.bad(varLedger, "dynamodb:TABLE, or none")
		return ""
	}
	return m[1]
}

// one reads one of two words; the first is the default.
func (r *reader) one(variable, first, second string) string {
	v := r.get(variable)
	switch v {
	case "":
		return first
	case first, second:
	default:
		r.bad(variable, first+" or "+second)
	}
	return v
}

func (r *reader) number(variable string, otherwise int) int {
	v := r.get(variable)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		r.bad(variable, "a whole number")
	}
	return n
}

func (r *reader) amount(variable string, otherwise float64) float64 {
	v := r.get(variable)
	if v == "" {
		return otherwise
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || !(n >= 0) || math.IsInf(n, 0) {
		r.bad(variable, "a number, 0 or more")
	}
	return n
}

// duration reads a time, also as a plain number of seconds.
func (r *reader) duration(variable string, otherwise time.Duration) time.Duration {
	v := r.get(variable)
	if v == "" {
		return otherwise
	}
	text := v
	if _, err := strconv.Atoi(v); err == nil {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		r.bad(variable, "a time, such as 90s")
	}
	return d
}

// records is what a ledger offers to looks.
type records interface {
	Ledger
	ledger.Leaser
}

// Options wires a fleet on AWS; books is its ledger, nil where there is none.
func (s *Settings) Options(cfg aws.Config, books records) Options {
	o := Options{
		Fleet: s.Fleet, Knobs: s.Knobs, Govern: s.Govern, Prices: s.Prices, Owner: owner(),
		Queue: NewSQS(cfg, s.Queue), Service: NewECS(cfg, s.Cluster, s.Service), Publisher: NewCloudWatch(cfg, s.Fleet),
	}
	if books != nil {
		o.Ledger, o.Leases = books, books
	}
	return o
}

// owner is this process, as far as leases go.
func owner() string {
	host, _ := os.Hostname() // that it is unique is enough
	return fmt.Sprintf("%s/%d/%x", host, os.Getpid(), time.Now().UnixNano())
}

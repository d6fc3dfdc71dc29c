package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"github.com/ramify/ramify/keyring"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/dynamodb"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/queue/sqs"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/schema"
)

// fleetFlags say where a fleet is.
type fleetFlags struct {
	Queue  string `help:"The fleet's queue: its name or URL." placeholder:"NAME"`
	Ledger string `help:"What is known about the fleet's runs: dynamodb:TABLE, or none." placeholder:"dynamodb:TABLE"`
	Stack  string `help:"The CloudFormation stack whose outputs say where the fleet is." placeholder:"NAME"`
}

// given reports whether a fleet is meant, and not this machine.
func (f *fleetFlags) given() bool { return f.Ledger != "" || f.Stack != "" }

// options is what printed commands need to find the fleet, besides the environment.
func (f *fleetFlags) options() string {
	var given []string
	for _, o := range [][2]string{{"queue", f.Queue}, {"ledger", f.Ledger}, {"stack", f.Stack}} {
		if o[1] != "" && !fromEnvironment(o[0], o[1]) {
			given = append(given, "--"+o[0]+" "+o[1])
		}
	}
	return strings.Join(given, " ")
}

// variable is the environment variable of a flag.
func variable(flag string) string {
	return "RAMIFY_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fromEnvironment reports whether a flag has its value from its variable.
func fromEnvironment(flag, value string) bool {
	return value != "" && os.Getenv(variable(flag)) == value
}

// named is a flag as whoever gave it knows it: its variable, or --flag.
func named(flag, value string) string {
	if fromEnvironment(flag, value) {
		return variable(flag)
	}
	return "--" + flag
}

// Ways to keep a fleet's ledger.
const (
	ledgerNone  = "none" // the bare pattern: nothing is known about runs
	ledgerTable = "dynamodb:"
)

// Source: Amazon DynamoDB Developer Guide, "Naming rules".
var tableName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)

// table is the DynamoDB table of the ledger, "" where there is none.
func (f *fleetFlags) table() (string, error) {
	const want = "want dynamodb:TABLE, or none"
	name, is := strings.CutPrefix(f.Ledger, ledgerTable)
	switch {
	case f.Ledger == "":
		return "", usagef("it is not said where the fleet's ledger is: set --ledger or RAMIFY_LEDGER, %s, or --stack", want)
	case f.Ledger == ledgerNone:
		return "", nil
	case !is:
		return "", usagef("%s is %q, %s", named("ledger", f.Ledger), f.Ledger, want)
	case !tableName.MatchString(name):
		return "", usagef("%s is %q, but a table's name has 3 to 255 letters, digits, '.', '_' and '-'", named("ledger", f.Ledger), f.Ledger)
	}
	return name, nil
}

// queue refuses a queue that cannot be one.
func (f *fleetFlags) checkQueue() error {
	if f.Queue == "" {
		return usagef("it is not said which queue is the fleet's: set --queue or RAMIFY_QUEUE to its name or URL, or --stack")
	}
	if err := sqs.CheckName(f.Queue); err != nil {
		return usagef("%s: %w", named("queue", f.Queue), err)
	}
	return nil
}

// records are what a fleet's ledger offers.
type records interface {
	ledger.Ledger
	ledger.Board
	ledger.Leaser
}

// fleet is a fleet that can be asked.
type fleet struct {
	fleetFlags
	out     string // default of runs that name none
	cfg     aws.Config
	records records // nil: none
	main    *sqs.Queue
	dead    *sqs.Queue
	secret  string          // where the stack has its signing key
	keys    *schema.Keyring // nil: messages are not signed
	watch   *keyring.Watch
	buckets *s3client.Client // nil: not yet needed
	once    sync.Once
}

// patience is how long to wait for an answer before there is anything to do.
const patience = 20 * time.Second

// find reads where the fleet is, and the configuration to ask it. It does not ask
// anything but the stack, if one is named.
func (f *fleetFlags) find(ctx context.Context) (*fleet, error) {
	cfg, err := s3client.LoadConfig(ctx)
	if err != nil {
		return nil, err
	}
	fl := &fleet{fleetFlags: *f, cfg: cfg}
	if f.Stack != "" {
		if err := fl.readStack(ctx); err != nil {
			return nil, err
		}
	}
	return fl, nil
}

// openLedger opens the ledger and looks whether it is there.
func (f *fleet) openLedger(ctx context.Context) error {
	table, err := f.table()
	if err != nil || table == "" {
		return err
	}
	f.records = dynamodb.New(f.cfg, table, dynamodb.Options{})
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := f.records.Run(ctx, "-"); err != nil && !errors.Is(err, ledger.ErrNoRun) {
		return f.explain("open ledger "+f.Ledger, err)
	}
	return nil
}

// openQueue opens the queue, which must exist.
func (f *fleet) openQueue(ctx context.Context) (err error) {
	if err := f.checkQueue(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if f.main, err = sqs.Open(ctx, f.cfg, f.Queue); err != nil {
		return f.explain("open queue "+f.Queue, err)
	}
	return nil
}

// openDead opens the dead-letter queue, which must exist.
func (f *fleet) openDead(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if f.dead, err = sqs.OpenDeadLetters(ctx, f.cfg, f.Queue); err != nil {
		return f.explain("open dead-letter queue of "+f.Queue, err)
	}
	return nil
}

// openToPost opens what whoever posts needs: the queue, and the keys.
func (f *fleet) openToPost(ctx context.Context) error {
	if err := f.openKeys(ctx, nil); err != nil {
		return err
	}
	return f.openQueue(ctx)
}

// openAll opens what a task needs.
func (f *fleet) openAll(ctx context.Context, log *slog.Logger) error {
	if err := f.openKeys(ctx, log); err != nil {
		return err
	}
	for _, open := range []func(context.Context) error{f.openQueue, f.openDead, f.openLedger} {
		if err := open(ctx); err != nil {
			return err
		}
	}
	return nil
}

// explain is an error of AWS in one line, with the way out.
func (f *fleet) explain(what string, err error) error {
	var api smithy.APIError
	if errors.As(err, &api) || errors.Is(err, context.Canceled) {
		return err // it is explained
	}
	if f.cfg.Region == "" && strings.Contains(err.Error(), "egion") {
		return fmt.Errorf("%s: no region: set AWS_REGION", what)
	}
	if _, line := s3client.Explain(what, "", err); line != nil {
		return line
	}
	return err
}

func (f *fleet) poster() *post.Poster { return &post.Poster{Queue: f.main, Keys: f.keys} }

func (f *fleet) close() {
	if f.watch != nil {
		f.watch.Stop()
	}
	if f.main != nil {
		_ = f.main.Close()
	}
	if f.dead != nil {
		_ = f.dead.Close()
	}
	if f.records != nil {
		_ = f.records.Close()
	}
}

// bucketClient asks S3, about results.
func (f *fleet) bucketClient() *s3client.Client {
	f.once.Do(func() { f.buckets = s3client.FromConfig(f.cfg, 16) })
	return f.buckets
}

package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// records are what a fleet's ledger offers.
type records interface {
	ledger.Ledger
	ledger.Board
	ledger.Leaser
	ledger.Visits
	ledger.Ticks
}

// fleet is a fleet that can be asked.
type fleet struct {
	fleetFlags
	way     string // what printed commands need to find it
	out     string // default of runs that name none
	cfg     aws.Config
	records records // nil: none
	main    *sqs.Queue
	dead    *sqs.Queue
	cluster string            // of the service
	service string            // whose tasks work
	journal string            // log group of the function that governs
	knobs   map[string]string // how the fleet is made, as the stack says, by flag
	secret  string            // where the stack has its signing key
	keys    *schema.Keyring   // nil: messages are not signed
	watch   *keyring.Watch
	routes  *routes          // nil: all nodes wait on main
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
	fl := &fleet{fleetFlags: *f, way: f.options(), cfg: cfg, knobs: map[string]string{}}
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
	_, err = f.records.Read(ctx, []ledger.Key{{}}) // which does not exist
	return f.explain("open ledger "+f.Ledger, err)
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
	if err := f.openQueue(ctx); err != nil {
		return err
	}
	if f.main.DeadLetters() == "" { // a task would say so, and a run wait for one that does not
		return fmt.Errorf("open queue: queue %s has no dead-letter queue, so no task can work on it: name the fleet's queue, or make both by `ramify setup`", f.main.Name())
	}
	return nil
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

// explain is an error of AWS in one line, with the way out. What an adapter knows
// it has explained.
func (f *fleet) explain(what string, err error) error {
	var request *smithy.OperationError
	var api smithy.APIError
	if !errors.As(err, &request) || errors.As(err, &api) || errors.Is(err, context.Canceled) {
		return err
	}
	if f.cfg.Region == "" && strings.Contains(err.Error(), "egion") {
		return fmt.Errorf("%s: no region: set AWS_REGION", what)
	}
	if errors.Is(err, context.DeadlineExceeded) { // of these servers, which are not waited for as long as S3 is
		return fmt.Errorf("%s: no answer in time: check AWS_ENDPOINT_URL", what)
	}
	_, line := s3client.Explain(what, "", err)
	return line
}

func (f *fleet) poster() *post.Poster {
	return &post.Poster{Queue: f.main, Keys: f.keys, Route: f.routes.route()}
}

func (f *fleet) close() {
	if f.watch != nil {
		f.watch.Stop()
	}
	f.routes.close()
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

package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/jobqueue"
	"github.com/ramify/ramify/jobqueue/embedded"
	"github.com/ramify/ramify/jobqueue/sqs"
	"github.com/ramify/ramify/keyring"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/schema"
)

// compatQdone is the program whose jobs are taken and given.
const compatQdone = "qdone"

// queueFlags say where named queues are.
type queueFlags struct {
	Local      bool   `help:"Keep the queues in a file of this machine, in the folder of --state: no AWS."`
	Prefix     string `help:"What names of queues begin with; - for nothing (default: ramify_, with --compat qdone qdone_)." placeholder:"TEXT"`
	FailSuffix string `help:"What names of failed queues end with." default:"_failed" placeholder:"TEXT"`
	Region     string `help:"AWS region of the queues (default: the SDK's)." env:"-" placeholder:"NAME"`
	Compat     string `help:"qdone: as qdone has it: its prefix, its settings of queues, and unsigned lines for a shell." placeholder:"qdone"`
}

func (f *queueFlags) qdone() bool { return f.Compat == compatQdone }

// names checks what names of queues are made of.
func (f *queueFlags) names(fifo bool) (jobqueue.Names, error) {
	if f.Compat != "" && !f.qdone() {
		return jobqueue.Names{}, usagef("%s is %q, want %s", named("compat", f.Compat), f.Compat, compatQdone)
	}
	n := jobqueue.Names{Prefix: cmp.Or(f.Prefix, jobqueue.DefaultPrefix), FailSuffix: f.FailSuffix, FIFO: fifo}
	switch {
	case f.Prefix == "-":
		n.Prefix = ""
	case f.Prefix == "" && f.qdone():
		n.Prefix = jobqueue.QdonePrefix
	}
	if err := n.Check(); err != nil {
		return n, usageError{err}
	}
	if f.qdone() && f.Local {
		return n, usagef("--compat is qdone, which has no queues but on SQS: leave out --local")
	}
	return n, nil
}

// depot is where queues are.
type depot interface {
	jobqueue.Queues
	jobqueue.Past
}

// openQueues opens what the flags name. The file is made where it is wanted.
func (f *queueFlags) openQueues(ctx context.Context, g *cli, tries int) (depot, func(), error) {
	if f.Local {
		path := filepath.Join(g.State, "jobqueue", "jobs.db")
		s, err := store.Open(path, store.Options{})
		if err != nil {
			return nil, nil, err
		}
		q, err := embedded.Open(ctx, s, embedded.Options{Tries: tries})
		if err != nil {
			return nil, nil, errors.Join(err, s.Close())
		}
		return q, func() { _, _ = q.Close(), s.Close() }, nil
	}
	cfg, err := s3client.LoadConfig(ctx)
	if err != nil {
		return nil, nil, err
	}
	cfg.Region = cmp.Or(f.Region, cfg.Region)
	if cfg.Region == "" && f.qdone() {
		cfg.Region = "us-east-1" // qdone's
	}
	if cfg.Region == "" {
		return nil, nil, usagef("no region: set AWS_REGION or --region, or keep the queues on this machine with --local")
	}
	q := sqs.New(cfg, sqs.Options{Tries: tries, Bare: f.qdone()})
	return q, func() { _ = q.Close() }, nil
}

// trustFlags say who may have jobs run.
type trustFlags struct {
	Unsigned bool `help:"Work without a signing key: whoever can send to the queues can have programs run."`
	Shell    bool `help:"Commands are scripts for /bin/sh; said to both enqueue and worker." env:"-"`
}

// codec reads the keys that jobs are signed with. Queues of SQS without one must be asked
// for: whoever may send there could run programs on the workers. The file is its owner's
// alone.
func (f *trustFlags) codec(ctx context.Context, q *queueFlags, log *slog.Logger) (jobqueue.Codec, *keyring.Watch, error) {
	if q.qdone() {
		// qdone knows no keys; but what has a signature is held to it.
		keys, err := openKeyring(ctx, os.Getenv(keyring.Var), nil, log)
		if err != nil {
			return jobqueue.Codec{}, nil, err
		}
		return jobqueue.Codec{Keys: orNobody(keys.Keyring()), Shell: f.Shell, Qdone: true}, keys, nil
	}
	value := os.Getenv(keyring.Var)
	if value == "" && !f.Unsigned && !q.Local {
		return jobqueue.Codec{}, nil, usagef("no signing key: set %s to the same key where jobs are sent and where they run, such as jobs:$(openssl rand -base64 32), or say --unsigned to run what anybody sends to the queue", keyring.Var)
	}
	if f.Unsigned && value != "" {
		return jobqueue.Codec{}, nil, usagef("--unsigned is set, and so is %s: leave out one of them", keyring.Var)
	}
	keys, err := openKeyring(ctx, value, nil, log)
	if err != nil {
		return jobqueue.Codec{}, nil, err
	}
	return jobqueue.Codec{Keys: keys.Keyring(), Shell: f.Shell}, keys, nil
}

// orNobody is a keyring that no signature satisfies, where there is none: a message that
// says it is signed must not run because nobody can tell.
func orNobody(k *schema.Keyring) *schema.Keyring {
	if k != nil {
		return k
	}
	nobody, err := schema.NewKeyring(schema.Key{ID: "nobody", Secret: []byte(keyring.Generate())})
	if err != nil {
		panic(err) // 40 characters are enough
	}
	return nobody
}

// argv is the command that somebody typed, as a job.
func (f *trustFlags) argv(words []string, qdone bool) (jobqueue.Job, error) {
	switch {
	case qdone && f.Shell:
		return jobqueue.Job{}, usagef("--shell says nothing with --compat qdone: all its jobs are lines for a shell")
	case qdone, f.Shell:
		return jobqueue.Job{Argv: words, Shell: true}, nil
	}
	if len(words) == 1 && strings.ContainsAny(words[0], " \t\n") && !isPath(words[0]) {
		return jobqueue.Job{}, usagef("the command %q is one word: write its arguments without quotes around them all, or say --shell, here and to the worker", words[0])
	}
	return jobqueue.Job{Argv: words}, nil
}

// isPath reports whether a word begins as a path, whose folders may have spaces in their
// names.
func isPath(word string) bool {
	return strings.HasPrefix(word, "/") || strings.HasPrefix(word, "./") || strings.HasPrefix(word, "../")
}

package app

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ramify/ramify/keyring"
	"github.com/ramify/ramify/ledger/dynamodb"
	"github.com/ramify/ramify/queue/sqs"
)

type setupCmd struct {
	Queue       string        `help:"Name of the queue; its dead-letter queue is NAME-dead." placeholder:"NAME"`
	Ledger      string        `help:"dynamodb:TABLE, or none." placeholder:"dynamodb:TABLE"`
	Visibility  time.Duration `help:"Until a message that a task has lost is seen again, where the task says nothing else." default:"2m" placeholder:"DURATION"`
	MaxReceives int           `help:"Receives after which the queue itself moves a message to the dead-letter queue." default:"100" placeholder:"N"`
	SigningKey  bool          `env:"-" help:"Print a new key to sign messages with; it is kept nowhere."`
	JSON        bool          `name:"json" help:"Print one JSON object."`
}

// madeFleet is what setup prints.
type madeFleet struct {
	Queue          string `json:"queue"`
	QueueURL       string `json:"queue_url"`
	DeadLetters    string `json:"dead_letters"`
	DeadLettersURL string `json:"dead_letters_url"`
	Ledger         string `json:"ledger"`
	SigningKey     string `json:"signing_key,omitempty"`
}

// Run implements the command.
func (c *setupCmd) Run(ctx context.Context, _ *cli, std streams) error {
	flags := fleetFlags{Queue: c.Queue, Ledger: c.Ledger}
	table, err := c.check(&flags)
	if err != nil {
		return err
	}
	f, err := flags.find(ctx)
	if err != nil {
		return err
	}
	made := madeFleet{Ledger: c.Ledger}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	q, err := sqs.Create(ctx, f.cfg, c.Queue, sqs.Settings{Visibility: c.Visibility, MaxReceives: c.MaxReceives})
	if err != nil {
		return f.explain("create queue "+c.Queue, err)
	}
	made.Queue, made.QueueURL, made.DeadLetters, made.DeadLettersURL = q.Name, q.URL, q.DeadLetters, q.DeadLettersURL
	if table != "" {
		if err := dynamodb.Create(ctx, f.cfg, dynamodb.Table{Name: table}); err != nil {
			return f.explain("create table "+table, err)
		}
	}
	if c.SigningKey {
		made.SigningKey = keyring.Generate()
	}
	return made.write(std, c.JSON)
}

func (c *setupCmd) check(f *fleetFlags) (table string, err error) {
	if err := f.checkQueue(); err != nil {
		return "", err
	}
	if strings.Contains(c.Queue, "://") {
		return "", usagef("%s is %q: to make a queue, give its name", named("queue", c.Queue), c.Queue)
	}
	switch {
	case c.Visibility < time.Second || c.Visibility > 12*time.Hour:
		return "", usagef("--visibility is %v, want 1s to 12h", c.Visibility)
	case c.MaxReceives < 10 || c.MaxReceives > 1000:
		return "", usagef("--max-receives is %d, want 10 to 1000: drains, pauses and lost leases count, too, and the retries of a node must fit in", c.MaxReceives)
	}
	return f.table()
}

func (m *madeFleet) write(std streams, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(std.out).Encode(m)
	}
	t := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "queue\t%s\t%s\n", m.Queue, m.QueueURL)
	fmt.Fprintf(t, "dead letters\t%s\t%s\n", m.DeadLetters, m.DeadLettersURL)
	fmt.Fprintf(t, "ledger\t%s\n", m.Ledger)
	if err := t.Flush(); err != nil {
		return err
	}
	env := fmt.Sprintf("\nTasks, and commands about runs, find them by:\n  export RAMIFY_QUEUE=%s\n  export RAMIFY_LEDGER=%s\n", m.Queue, m.Ledger)
	if m.SigningKey != "" {
		env += fmt.Sprintf("  export RAMIFY_SIGNING_KEY=%s\n", m.SigningKey)
	}
	_, err := fmt.Fprint(std.out, env)
	return err
}

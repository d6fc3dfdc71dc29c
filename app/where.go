package app

import (
	"os"
	"regexp"
	"strings"

	"github.com/ramify/ramify/queue/sqs"
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

// ledgerTable begins a ledger in a DynamoDB table.
const ledgerTable = "dynamodb:"

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

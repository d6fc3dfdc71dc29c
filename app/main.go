// Package app is the command ramify, for a program of one's own to be: with
// processors of its own beside ours. docs/processors/own.md says how.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/alecthomas/kong"
	_ "golang.org/x/crypto/x509roots/fallback" // roots of trust where the system has none: an empty image

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/internal/health"
	"github.com/ramify/ramify/processor"
)

// Exit codes; docs/cli.md lists them.
const (
	exitDone        = 0
	exitUsage       = 1
	exitCannot      = 2
	exitFailures    = 3
	exitInterrupted = 130
)

// exitError ends the command with a code, its message having been printed.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// usageError is an error of the command line or configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// streams are what a command talks through.
type streams struct {
	out, err *os.File
}

type cli struct {
	State   string `help:"Folder that keeps the state of runs (default: the user's state folder)." placeholder:"DIR"`
	Verbose bool   `short:"v" help:"Log what the engine does."`

	Run     runCmd     `cmd:"" help:"Walk a tree on this machine."`
	Resume  resumeCmd  `cmd:"" help:"Go on with a run that was interrupted or paused."`
	Redrive redriveCmd `cmd:"" help:"Process again the nodes of a run that failed."`
	Status  statusCmd  `cmd:"" help:"Show how far a run is."`
	Watch   watchCmd   `cmd:"" help:"Follow a run to its end."`
	Report  reportCmd  `cmd:"" help:"Write a report on a run: an HTML file, Markdown or JSON."`
	Pause   pauseCmd   `cmd:"" help:"Let a run's nodes wait; nothing is lost."`
	Cancel  cancelCmd  `cmd:"" help:"End a run for good."`
	Failed  failedCmd  `cmd:"" help:"List the nodes that failed, with the reasons."`
	Setup   setupCmd   `cmd:"" help:"Make the queues and the table of a fleet where there are none."`
	Seed    seedCmd    `cmd:"" help:"Begin a run on a fleet."`
	Task    taskCmd    `cmd:"" help:"Work on the runs of a fleet until told to stop."`
	Metric  metricCmd  `cmd:"" help:"Publish a fleet's metrics, and govern how many tasks it has if told to."`
	Health  healthCmd  `cmd:"" help:"Ask a task on this machine whether it is well."`
	Du      duCmd      `cmd:"" help:"Show the totals per prefix of a run that is over."`
	Diff    diffCmd    `cmd:"" help:"Say in what two trees of objects differ, by their digests."`
	Plan    planCmd    `cmd:"" help:"Say what a run would take on a fleet: time, tasks and cost, by a model."`
	Jobs    jobsCmd    `cmd:"" help:"Run named jobs, and check files of them."`
	Results resultsCmd `cmd:"" help:"Print the outcomes of jobs that wait in a queue, and take them out of it."`
	Cron    cronCmd    `cmd:"" help:"Start jobs when they are due, each tick once however many run this."`
	Serve   serveCmd   `cmd:"" help:"Show runs on a page, and start jobs that are asked for by HTTP."`
	CA      caCmd      `cmd:"" name:"ca" help:"A small certificate authority, for serve and who asks it."`
	IAM     iamCmd     `cmd:"" name:"iam" help:"Print the policy of IAM that a role needs."`

	Enqueue      enqueueCmd      `cmd:"" help:"Put a command into a queue."`
	EnqueueBatch enqueueBatchCmd `cmd:"" help:"Put many commands into queues, from files or standard input."`
	Worker       jobWorkerCmd    `cmd:"" help:"Run the commands of queues."`
	IdleQueues   idleQueuesCmd   `cmd:"" help:"List queues in which nothing happens, and delete them if told to."`

	Schema schemaCmd `cmd:"" help:"Print the JSON Schema of the node message."`
	Demo   demoCmd   `cmd:"" help:"Walk a folder through an S3 server started for it on this machine."`

	// Containers often say in RAMIFY_VERSION what they hold: that asks for nothing.
	Version kong.VersionFlag `help:"Print the version." env:"-"`
}

// Main is the main function of a program: the command line of ramify, for which the
// kinds of set are as known as its own. It ends the process, with the exit codes of
// docs/cli.md.
func Main(set processor.Set) {
	own = set
	os.Exit(realMain(os.Args[1:], streams{out: os.Stdout, err: os.Stderr}))
}

// explained is what --help says of a flag: with its default, which the parser does not show
// beside the name of what is wanted, and its variable.
func explained(v *kong.Value) string {
	if v.Flag == nil || v.Flag.PlaceHolder == "" || v.Default == "" || strings.Contains(v.Help, "(default") {
		return kong.DefaultHelpValueFormatter(v)
	}
	with := *v
	with.Help = strings.TrimSuffix(v.Help, ".") + " (default: " + v.Default + ")."
	return kong.DefaultHelpValueFormatter(&with)
}

func realMain(args []string, std streams) int {
	ctx, stop := untilTold()
	defer stop()
	// A closed pipe is an error of the write, not the end of the process. It is not
	// ignored: programs that we start would ignore it, too.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	dropEmptyVariables()
	var c cli
	code := -1
	parser, err := kong.New(&c,
		kong.Name("ramify"),
		kong.Description("Ramify walks trees too big for one machine: buckets, tables, graphs, jobs."),
		kong.DefaultEnvars("RAMIFY"),
		vars(),
		kong.Writers(std.out, std.err),
		kong.Exit(func(n int) { code = n }),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.ValueFormatter(explained),
	)
	if err != nil {
		panic(err) // the commands above are wrong, not the user
	}
	for _, a := range args {
		// The parser would change its bytes without a word.
		if !utf8.ValidString(a) {
			fmt.Fprintf(std.err, "ramify: argument %q is not UTF-8: give it another name, or put it into a script\n", a)
			return exitUsage
		}
	}
	kctx, err := parser.Parse(args)
	if code >= 0 {
		return code // --help or --version
	}
	if err == nil {
		err = checkGiven(kctx)
	}
	if err != nil {
		fmt.Fprintf(std.err, "ramify: %s; see ramify --help\n", oneLine(err))
		return exitUsage
	}
	if c.State == "" {
		c.State = defaultState()
	}
	c.State = kong.ExpandPath(c.State)
	kctx.BindTo(ctx, (*context.Context)(nil))
	err = kctx.Run(&c, std)
	if errors.Is(err, syscall.EPIPE) && shows[kctx.Selected().Name] {
		return exitDone
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return exitInterrupted // before there was anything to report
	}
	return exitCode(err, std.err)
}

// shows are the commands that change nothing: that nobody reads on is no error of theirs,
// `| head` has seen enough.
var shows = map[string]bool{"status": true, "failed": true, "report": true, "plan": true, "schema": true, "iam": true, "watch": true}

// vars are what the flags' defaults name.
func vars() kong.Vars {
	return kong.Vars{"version": version(), "inline": strconv.Itoa(defaultInline), "retries": strconv.Itoa(defaultRetries), "concurrency": strconv.Itoa(defaultConcurrency), "health": health.DefaultAddress}
}

// exitCode prints an error, in one line, and says how the process ends.
func exitCode(err error, w io.Writer) int {
	var code exitError
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintf(w, "ramify: %s\n", oneLine(err))
	// Whatever could not be opened for want of descriptors, the name given is not to blame.
	if errors.As(err, &usage) && !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) {
		return exitUsage
	}
	return exitCannot
}

// oneLine is an error as it is printed: it may hold what somebody typed, or a
// server said. Libraries quote a URL that they cannot read, with the password in it.
func oneLine(err error) string {
	text := password.ReplaceAllString(err.Error(), "://$1:…@")
	return console.Clean(strings.ReplaceAll(text, "\n", "; "))
}

var password = regexp.MustCompile(`://([^\s/:@"]*):[^\s/@"]*@`)

// dropEmptyVariables makes a variable that is empty as none: compose files and
// units pass on what is not set as RAMIFY_CONCURRENCY=, which is no number.
func dropEmptyVariables() {
	for _, v := range os.Environ() {
		if name, value, _ := strings.Cut(v, "="); value == "" && strings.HasPrefix(name, "RAMIFY_") {
			_ = os.Unsetenv(name)
		}
	}
}

// checkGiven refuses a flag that was given without a value, --out "$DIR" where
// DIR is not set: what it was to say is not what its absence says.
func checkGiven(c *kong.Context) error {
	for _, p := range c.Path {
		if p.Flag == nil || p.Resolved {
			continue
		}
		if s, ok := c.FlagValue(p.Flag).(string); ok && s == "" {
			return usagef("--%s is empty; give it a value, or leave it out", p.Flag.Name)
		}
	}
	return nil
}

// defaultState is the user's folder for state that should persist (XDG Base
// Directory Specification, "XDG_STATE_HOME").
func defaultState() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "ramify")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ".ramify"
	}
	return filepath.Join(home, ".local", "state", "ramify")
}

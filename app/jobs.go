package app

import (
	"encoding/json"
	"fmt"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/jobs"
)

// jobsCmd are the commands about files of jobs.
type jobsCmd struct {
	Check jobsCheckCmd `cmd:"" help:"Read a file of jobs, and find in it what is rarely meant."`
}

type jobsCheckCmd struct {
	File string `arg:"" help:"The file: jobs.yaml."`
	JSON bool   `name:"json" help:"Print one JSON object a line."`
}

// Run implements the command.
func (c *jobsCheckCmd) Run(std streams) error {
	file, err := jobs.Read(c.File)
	if err != nil {
		return usageError{err}
	}
	found := file.Check()
	for _, f := range found {
		if c.JSON {
			err = json.NewEncoder(std.out).Encode(f)
		} else {
			_, err = fmt.Fprintf(std.out, "%s:%d: job %s: %s\n", console.Clean(c.File), f.Line, f.Job, console.Clean(f.Text))
		}
		if err != nil {
			return fmt.Errorf("print findings: %w", err)
		}
	}
	if len(found) > 0 {
		return exitError(exitFailures)
	}
	if !c.JSON {
		fmt.Fprintf(std.err, "%s: %d jobs, nothing found\n", console.Clean(c.File), len(file.Jobs))
	}
	return nil
}

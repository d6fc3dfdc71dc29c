package app

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/ledger"
)

// list prints all runs, the newest first.
func (c *statusCmd) list(ctx context.Context, g *cli, std streams) error {
	runs, err := c.runs(ctx, g, std)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(std.out)
	enc.SetEscapeHTML(false)
	t := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	if len(runs) > 0 && !c.JSON {
		fmt.Fprintln(t, "run\tstate\tbegun (UTC)\ttarget")
	}
	for _, r := range runs {
		state := console.StateOf(r)
		if c.JSON {
			if err := enc.Encode(struct {
				Run     string        `json:"run"`
				State   console.State `json:"state"`
				Target  string        `json:"target"`
				Created time.Time     `json:"created"`
			}{r.ID, state, r.Target, r.Created.UTC()}); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.ID, state, r.Created.UTC().Format("2006-01-02 15:04:05"), console.Clean(r.Target))
	}
	return t.Flush()
}

// runs are all runs of the fleet, or of this machine, the newest first.
func (c *statusCmd) runs(ctx context.Context, g *cli, std streams) ([]ledger.Run, error) {
	if c.given() {
		f, err := c.openRecords(ctx)
		if err != nil {
			return nil, err
		}
		defer f.close()
		return f.records.Runs(ctx)
	}
	entries, err := os.ReadDir(g.State)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	var runs []ledger.Run
	for _, e := range entries {
		name, is := strings.CutSuffix(filepath.Base(e.Name()), ".db")
		if !is || !exists(g.State, name) {
			continue
		}
		st, r, err := glance(ctx, g, name)
		if err != nil {
			fmt.Fprintf(std.err, "ramify: %s\n", oneLine(err))
			continue // of the others there is something to say
		}
		st.close()
		runs = append(runs, r)
	}
	slices.SortStableFunc(runs, func(a, b ledger.Run) int { return b.Created.Compare(a.Created) })
	return runs, nil
}

// Replay runs one simulated case and prints its history and what the auditor finds in
// it:
//
//	go run ./proof/replay [--shrink] [--bug NAME] CASE
//
// A case is a seed and what of it is different, as a failing soak prints it. With a bug of
// package mutant the engine is that which has it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ramify/ramify/proof/campaign"
	"github.com/ramify/ramify/proof/mutant"
)

func main() {
	shrink := flag.Bool("shrink", false, "make a case that fails small first")
	bug := flag.String("bug", "", "plant a bug of package mutant")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "replay: want one case, as in: go run ./proof/replay 17,-crash,nodes=4")
		os.Exit(1)
	}
	failed, err := replay(context.Background(), flag.Arg(0), *bug, *shrink)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "replay:", err)
		os.Exit(2)
	case failed:
		os.Exit(3)
	}
}

func build(ctx context.Context, bug string) (*campaign.Program, error) {
	if bug == "" {
		return campaign.Build(ctx, ".", "engine")
	}
	b, err := mutant.Named(bug)
	if err != nil {
		return nil, err
	}
	return campaign.Plant(ctx, ".", b)
}

func replay(ctx context.Context, text, bug string, shrink bool) (failed bool, err error) {
	p, err := build(ctx, bug)
	if err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "replay-*")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	history := filepath.Join(dir, "history")
	r, err := p.One(ctx, text, history)
	if err != nil {
		return false, err
	}
	if shrink && len(r.Problems) > 0 {
		if r, err = p.Shrink(ctx, r, 500); err != nil {
			return true, err
		}
		if r, err = p.One(ctx, r.Case, history); err != nil {
			return true, err
		}
	}
	if f, err := os.Open(history); err == nil {
		defer func() { _ = f.Close() }()
		if _, err := io.Copy(os.Stdout, f); err != nil {
			return false, err
		}
	}
	fmt.Printf("\ncase %s: %s, %d events, history %s\n", r.Case, r.State, r.Events, r.Digest)
	for _, problem := range r.Problems {
		fmt.Println("PROBLEM", problem)
	}
	return len(r.Problems) > 0, nil
}

// Check searches the model of the protocol to its end and prints what it has found, a
// line for each world, with the fewest steps to what is wrong.
//
//	go run ./proof/model/check [--only NAME] [--bugs] [--limit STATES]
//
// Exit codes: 0 nothing is wrong, 1 usage, 3 something is: a world does not hold or was
// not searched to its end, or a planted bug does not show.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ramify/ramify/proof/model"
)

func main() {
	only := flag.String("only", "", "of the worlds, or bugs, those whose names have this in them")
	bugs := flag.Bool("bugs", false, "plant each bug in its world, where it must show")
	limit := flag.Int("limit", 0, "states after which each search ends; 0: as the world has it")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "check: unknown argument %q, want flags only: see --help\n", flag.Arg(0))
		os.Exit(1)
	}
	worlds := append(model.Worlds(), model.Deep()...)
	if !slices.ContainsFunc(worlds, func(w *model.World) bool { return strings.Contains(w.Name, *only) }) && !*bugs {
		fmt.Fprintf(os.Stderr, "check: --only is %q, which is in the name of no world\n", *only)
		os.Exit(1)
	}
	var ok bool
	began := time.Now()
	if *bugs {
		ok = plant(worlds, *only)
	} else {
		ok = search(worlds, *only, *limit)
	}
	fmt.Printf("in all %s\n", time.Since(began).Round(time.Second))
	if !ok {
		os.Exit(3)
	}
}

// search holds each world to what docs/reliability.md says of it: that it was seen to its
// end, but for one that has a limit of its own. Half a search that finds nothing proves
// nothing, and must not look as if it did.
func search(worlds []*model.World, only string, limit int) (ok bool) {
	ok = true
	n, states := 0, 0
	for _, w := range worlds {
		if !strings.Contains(w.Name, only) {
			continue
		}
		endless := w.Limit > 0 || limit > 0
		if limit > 0 {
			w.Limit = limit
		}
		r := model.Check(w, 0)
		fmt.Println(r)
		ok = ok && r.Wrong == "" && r.Crowded == 0 && (r.Complete || endless)
		n, states = n+1, states+r.States
	}
	fmt.Printf("%d worlds, %d states\n", n, states)
	return ok
}

func plant(worlds []*model.World, only string) (ok bool) {
	ok = true
	for _, b := range model.Bugs {
		for _, w := range worlds {
			if strings.Contains(b.Name, only) && w.Name == b.World {
				r := model.Check(w, b.Bug)
				fmt.Printf("%s: %s\n%s\n", b.Name, b.About, r)
				ok = ok && r.Wrong != ""
			}
		}
	}
	return ok
}

// Check searches the model of the protocol to its end and prints what it has found, a
// line for each world, with the fewest steps to what is wrong.
//
//	go run ./proof/model/check [--only NAME] [--bugs] [--limit STATES]
//
// Exit codes: 0 nothing is wrong, 1 usage, 3 something is: a world does not hold, or a
// planted bug does not show.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

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
	var ok bool
	if *bugs {
		ok = plant(worlds, *only)
	} else {
		ok = search(worlds, *only, *limit)
	}
	if !ok {
		os.Exit(3)
	}
}

func search(worlds []*model.World, only string, limit int) (ok bool) {
	ok = true
	for _, w := range worlds {
		if strings.Contains(w.Name, only) {
			if limit > 0 {
				w.Limit = limit
			}
			r := model.Check(w, 0)
			fmt.Println(r)
			ok = ok && r.Wrong == ""
		}
	}
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

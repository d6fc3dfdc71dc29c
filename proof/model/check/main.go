// Check searches the model of the protocol and prints what it has found.
//
//	go run ./proof/model/check [--only NAME] [--bugs]
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/ramify/ramify/proof/model"
)

func main() {
	only := flag.String("only", "", "worlds and bugs whose names have this in them")
	bugs := flag.Bool("bugs", false, "the planted bugs, each of which must show, with the steps to it")
	limit := flag.Int("limit", 0, "states after which a search ends; 0: that of the world")
	flag.Parse()
	wrong := false
	for _, w := range append(model.Worlds(), model.Deep()...) {
		if *bugs || !strings.Contains(w.Name, *only) {
			continue
		}
		if *limit > 0 {
			w.Limit = *limit
		}
		r := model.Check(w, 0)
		fmt.Println(r)
		wrong = wrong || r.Wrong != ""
	}
	for _, b := range model.Bugs {
		if !*bugs || !strings.Contains(b.Name, *only) {
			continue
		}
		for _, w := range model.Worlds() {
			if w.Name != b.World {
				continue
			}
			r := model.Check(w, b.Bug)
			fmt.Printf("%s: %s\n", b.Name, b.About)
			fmt.Println(r)
			wrong = wrong || r.Wrong == ""
		}
	}
	if wrong {
		os.Exit(3)
	}
}

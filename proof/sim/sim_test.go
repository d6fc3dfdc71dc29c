package sim_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/proof/sim"
)

func TestTry(t *testing.T) {
	from, to := 0, 50
	if s := os.Getenv("SEEDS"); s != "" {
		a, b, _ := strings.Cut(s, "-")
		from, _ = strconv.Atoi(a)
		to, _ = strconv.Atoi(b)
	}
	for n := from; n < to; n++ {
		began := time.Now()
		c := sim.Draw(uint64(n))
		if v := os.Getenv("CASE"); v != "" {
			c, _ = sim.ParseCase(v)
		}
		r := sim.Run(t, c)
		fmt.Println(n, r.State.State, r.State.Epoch, r.State.Totals.Nodes, "events", len(r.Log.Events()), "fake", r.Took.Round(time.Second), "real", time.Since(began).Round(time.Millisecond), r.Log.Digest())
		for _, p := range r.Problems {
			fmt.Println("   ", p)
		}
		if len(r.Problems) > 0 && os.Getenv("SHOW") != "" {
			r.Log.Print(os.Stdout, 0)
		}
	}
}

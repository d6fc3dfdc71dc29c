package bench

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// goal is how much more than Ramify a peer shall need.
type goal struct {
	lists     []string
	latency   bool // on a server that takes its time, or on one that does not
	peer      string
	wall, cpu float64 // 0: no goal
}

var flat = []string{"hex", "words", "time"}

// goals are those of the listing.
var goals = []goal{
	{lists: []string{"debian"}, latency: true, peer: "s3ls", wall: 6},
	{lists: []string{"debian"}, latency: true, peer: "s5cmd", wall: 40},
	{lists: []string{"debian"}, latency: true, peer: "rclone", wall: 40},
	{lists: flat, latency: true, peer: "s3ls", wall: 15},
	{lists: flat, latency: true, peer: "s5cmd", wall: 25},
	{lists: append([]string{"debian"}, flat...), latency: false, peer: "s3ls", wall: 3, cpu: 5},
}

// bounds are the limits on our own figures, met or not.
func bounds(us *result, i ideal, latency time.Duration) []string {
	if len(us.laps) == 0 {
		return nil
	}
	lists := 1.2*float64(i.pages) + inFlight
	wall := 2*i.wall() + 10*latency
	ideally := fmt.Sprintf("%d LISTs × %v / %d", i.pages, latency, inFlight)
	if i.cpu > i.wire {
		ideally = fmt.Sprintf("what serving and receiving %d LISTs takes this machine", i.pages)
	}
	return []string{
		verdict(us.lists().mid <= lists, "LISTs: %.0f, %.2f × ⌈keys/1000⌉; at most 1.2 × %d + %d = %.0f", us.lists().mid, us.lists().mid/float64(i.pages), i.pages, inFlight, lists),
		verdict(us.wall().mid <= wall.Seconds(), "wall: %.2f s; at most 2 × ideal + 10 round trips = %.2f s, the ideal being %.2f s (%s)",
			us.wall().mid, wall.Seconds(), i.wall().Seconds(), ideally),
	}
}

// ratios are the goals that hold for a list, met or not.
func ratios(list string, latency time.Duration, us *result, results []result) (lines []string) {
	for _, g := range goals {
		if g.latency != (latency > 0) || !slices.Contains(g.lists, list) {
			continue
		}
		for i := range results {
			r := &results[i]
			if program, _, _ := strings.Cut(r.name, "-"); program != g.peer || len(r.laps) == 0 || len(us.laps) == 0 {
				continue
			}
			wall, cpu := r.wall().mid/us.wall().mid, r.cpu().mid/us.cpu().mid
			lines = append(lines, verdict(wall >= g.wall, "%s takes %.1f × as long; at least %.0f ×", r.name, wall, g.wall))
			if g.cpu > 0 {
				lines = append(lines, verdict(cpu >= g.cpu, "%s takes %.1f × the CPU; at least %.0f ×", r.name, cpu, g.cpu))
			}
		}
	}
	return lines
}

func verdict(met bool, format string, args ...any) string {
	word := "met"
	if !met {
		word = "**not met**"
	}
	return word + ": " + fmt.Sprintf(format, args...)
}

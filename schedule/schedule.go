package schedule

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"maps"
	"regexp"
	"strings"
	"time"
)

// Schedule starts something at every tick.
type Schedule struct {
	Name   string
	About  string
	When   *Expression
	Job    string            // of jobs.yaml; "" where URL or Target is set
	Params map[string]string // of the job; {{date}} and {{time}} stand for the tick
	Target string            // of `ramify run`, as s3://bucket/prefix
	URL    string            // a path of an application: a periodic task of Elastic Beanstalk
	Task   string            // the name that the application knows it by
	Missed Missed
}

// Missed is what becomes of ticks that nobody was there for.
type Missed string

// Policies for ticks that are Late.
const (
	Skip Missed = "skip" // nothing
	Last Missed = "last" // one start, for the last of them
	All  Missed = "all"  // a start for each, at most MaxMissed
)

// Late is how old a tick is that has been missed: up to then it is merely late.
const Late = time.Minute

// MaxMissed is how many missed ticks start something, the newest.
const MaxMissed = 100

// Due are the ticks after a time, and up to now, that start something; what has been
// missed, as the policy says.
func (s *Schedule) Due(after, now time.Time) (due []time.Time, missed int) {
	all := s.When.Between(after, now, MaxMissed)
	late := 0
	for late < len(all) && all[late].Before(now.Add(-Late)) {
		late++
	}
	switch {
	case late == 0, s.Missed == All:
		return all, 0
	case s.Missed == Last && late == len(all):
		return all[late-1:], late - 1
	default: // one that is not late makes up for all before it
		return all[late:], late
	}
}

// placeholder is a tick in the value of a parameter.
var placeholder = regexp.MustCompile(`\{\{([^{}]*)\}\}`)

// Values are the parameters of the job at a tick: {{date}} is the day in the
// schedule's zone, {{time}} the time in UTC.
func (s *Schedule) Values(tick time.Time) map[string]string {
	values := maps.Clone(s.Params)
	for name, value := range values {
		values[name] = placeholder.ReplaceAllStringFunc(value, func(p string) string {
			if p == "{{date}}" {
				return tick.In(s.When.zone).Format(time.DateOnly)
			}
			return tick.UTC().Format(time.RFC3339)
		})
	}
	return values
}

// Key is what a schedule is remembered by: its name and when it is due. One whose
// cron or zone is changed begins anew.
func (s *Schedule) Key() string {
	sum := sha256.Sum256([]byte(s.When.text + "\n" + s.When.zone.String()))
	return s.Name + " " + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))
}

// Run is the name of the run that a tick starts: there is one of a name, and so one
// start of a tick, whoever begins it.
func (s *Schedule) Run(tick time.Time) string {
	return s.Name + "-" + tick.UTC().Format("20060102T1504Z")
}

// Begins reports whether a run is one that a tick of the schedule starts.
func (s *Schedule) Begins(run string) bool {
	stamp, is := strings.CutPrefix(run, s.Name+"-")
	tick, err := time.Parse("20060102T1504Z", stamp)
	return is && err == nil && s.Run(tick) == run
}

// MarshalJSON writes the schedule as a file of this one schedule has it: JSON is YAML.
func (s *Schedule) MarshalJSON() ([]byte, error) {
	one := map[string]any{"cron": s.When.text, "zone": s.When.zone.String(), "missed": s.Missed}
	for name, value := range map[string]string{"job": s.Job, "target": s.Target, "url": s.URL, "task": s.Task} {
		if value != "" {
			one[name] = value
		}
	}
	if len(s.Params) > 0 {
		one["params"] = s.Params
	}
	return json.Marshal(map[string]any{"schedules": map[string]any{s.Name: one}})
}

package knob

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ramify/ramify/schedule"
)

type reader = func(k *Knobs, value string) (want string, ok bool)

func matches(into func(*Knobs) *string, pattern, want string) reader {
	re := regexp.MustCompile(pattern)
	return func(k *Knobs, v string) (string, bool) {
		*into(k) = v
		return want, re.MatchString(v)
	}
}

func word(into func(*Knobs) *string, words ...string) reader {
	return func(k *Knobs, v string) (string, bool) {
		*into(k) = v
		return strings.Join(words, " or "), slices.Contains(words, v)
	}
}

func number(into func(*Knobs) *int, least, most int) reader {
	return func(k *Knobs, v string) (string, bool) {
		n, err := strconv.Atoi(v)
		*into(k) = n
		return fmt.Sprintf("a number from %d to %d", least, most), err == nil && n >= least && n <= most
	}
}

func period(into func(*Knobs) *time.Duration, least, most time.Duration) reader {
	return func(k *Knobs, v string) (string, bool) {
		d, err := time.ParseDuration(v)
		*into(k) = d
		return fmt.Sprintf("a time from %v to %v, such as 90s", least, most), err == nil && d >= least && d <= most
	}
}

// whole is a period of whole seconds: AWS takes no parts of one.
func whole(into func(*Knobs) *time.Duration, least, most time.Duration) reader {
	read := period(into, least, most)
	return func(k *Knobs, v string) (string, bool) {
		want, ok := read(k, v)
		return want + ", in whole seconds", ok && *into(k)%time.Second == 0
	}
}

func yes(into func(*Knobs) *bool) reader {
	return func(k *Knobs, v string) (string, bool) {
		*into(k) = v == "true"
		return "true or false", v == "true" || v == "false"
	}
}

func listOf(into func(*Knobs) *[]string, pattern, want string) reader {
	re := regexp.MustCompile(pattern)
	return func(k *Knobs, v string) (string, bool) {
		list := split(v)
		*into(k) = list
		return want, !slices.ContainsFunc(list, func(s string) bool { return !re.MatchString(s) })
	}
}

// anyOr reads buckets, or * for every one.
func anyOr(buckets reader) reader {
	return func(k *Knobs, v string) (string, bool) {
		want, ok := buckets(k, v)
		return want + ", or *", ok || v == "*"
	}
}

// buckets are named one by one.
func buckets(into func(*Knobs) *[]string) reader {
	return listOf(into, bucketName, "names of buckets with commas between")
}

func retained(k *Knobs, v string) (string, bool) {
	k.Retain = split(v)
	return "bucket, table or bucket,table", !slices.ContainsFunc(k.Retain, func(s string) bool { return s != Bucket && s != Table })
}

// schedules reads those of a file. What is wrong in it is said as ramify says it.
func schedules(k *Knobs, path string) (string, bool) {
	k.Cron = nil
	if path == "" {
		return "", true
	}
	f, err := schedule.Read(path)
	if err != nil {
		return "a file of schedules: " + err.Error(), false
	}
	for _, s := range f.Schedules {
		if len(s.When.EventBridge()) == 0 {
			return fmt.Sprintf("a file of schedules that EventBridge Scheduler can say: that of %s (%s) has to be due on certain days of the month that are certain days of the week, too", s.Name, s.When), false
		}
	}
	k.Cron = f.Schedules
	return "", true
}

// split is a list without what is empty in it, or said again.
func split(v string) (list []string) {
	for s := range strings.SplitSeq(v, ",") {
		if s = strings.TrimSpace(s); s != "" && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

func within(all []int, n int) bool { return slices.Contains(all, n) }

func oneOf(all []int) string {
	var s []string
	for _, n := range all {
		s = append(s, strconv.Itoa(n))
	}
	return "one of " + strings.Join(s, ", ")
}

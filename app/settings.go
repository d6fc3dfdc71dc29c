package app

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ramify/ramify/processor"
)

// setting reads one setting of a task. What is wrong with it is said by the name
// under which it was given.
type setting struct {
	flag  string
	value string
	read  func(value string) (want string, ok bool)
}

// readSettings reads all, or says what is wrong with the first that is.
func readSettings(all []setting) error {
	for _, s := range all {
		if want, ok := s.read(s.value); !ok {
			return usagef("%s is %q, want %s", named(s.flag, s.value), s.value, want)
		}
	}
	return nil
}

// number reads a number from least to most.
func number(into *int, least, most int) func(string) (string, bool) {
	return func(v string) (string, bool) {
		n, err := strconv.Atoi(v)
		*into = n
		return fmt.Sprintf("a number from %d to %d", least, most), err == nil && n >= least && n <= most
	}
}

// duration reads a time, also as a plain number of seconds.
func duration(into *time.Duration, least, most time.Duration) func(string) (string, bool) {
	return func(v string) (string, bool) {
		d, err := time.ParseDuration(v)
		if n, bad := strconv.Atoi(v); bad == nil {
			d, err = time.Duration(n)*time.Second, nil
		}
		*into = d
		return fmt.Sprintf("a time from %v to %v, such as 90s", least, most), err == nil && d >= least && d <= most
	}
}

// orOff is a reader for which off is a value, too, that leaves zero.
func orOff(read func(string) (string, bool)) func(string) (string, bool) {
	return func(v string) (string, bool) {
		if v == "off" {
			return "", true
		}
		want, ok := read(v)
		return want + ", or off", ok
	}
}

// one reads one of some words.
func one(into *string, of ...string) func(string) (string, bool) {
	return func(v string) (string, bool) {
		*into = v
		return strings.Join(of, " or "), slices.Contains(of, v)
	}
}

// address reads where to listen; nothing is nowhere.
func address(into *string) func(string) (string, bool) {
	return func(v string) (string, bool) {
		*into = v
		if v == "" {
			return "", true
		}
		_, port, err := net.SplitHostPort(v)
		n, bad := strconv.Atoi(port)
		return "HOST:PORT, such as 127.0.0.1:8080", err == nil && bad == nil && n >= 0 && n < 1<<16
	}
}

// someKinds reads which of the processors there are a task has.
func someKinds(into *processor.Set, all processor.Set) func(string) (string, bool) {
	return func(v string) (string, bool) {
		want := "some of " + strings.Join(slices.Sorted(maps.Keys(all)), ", ") + ", with commas between them"
		if v == "" {
			*into = all
			return want, true
		}
		*into = processor.Set{}
		for kind := range strings.SplitSeq(v, ",") {
			kind = strings.TrimSpace(kind)
			p, known := all[kind]
			if !known {
				return want, false
			}
			(*into)[kind] = p
		}
		return want, true
	}
}

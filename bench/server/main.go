// Command server serves one of the benchmarks' lists as the bucket "bench" on a
// loopback port, in a process of its own so that its work is not taken for its
// clients'. It prints its address, and ends when its standard input does.
package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"

	"github.com/ramify/ramify/bench/keys"
	"github.com/ramify/ramify/bench/peer"
	"github.com/ramify/ramify/s3serve"
)

const bucket = peer.Bucket

func main() {
	name := flag.String("list", "debian", "name of the list of keys")
	source := flag.String("keys", "", "file of real keys, one a line; xz may have packed it")
	foreign := flag.Bool("foreign", false, "serve by gofakes3 instead of s3serve")
	copies := flag.Bool("copies", false, "let the objects, which are empty then, be copied to the bucket \"copies\"")
	flag.Parse()
	if err := run(*name, *source, *foreign, *copies); err != nil {
		fmt.Fprintln(os.Stderr, "bench server:", err)
		os.Exit(1)
	}
}

func run(name, source string, foreign, copies bool) error {
	list, err := keys.Find(name, source)
	if err != nil {
		return err
	}
	load := ours
	if foreign {
		load = theirs
	}
	var m *meter
	if copies {
		d, err := newDepot(list)
		if err != nil {
			return err
		}
		m = newMeter(d)
		m.depot = d
	} else {
		h, err := load(list)
		if err != nil {
			return err
		}
		m = newMeter(h)
	}
	s, err := s3serve.Start(m)
	if err != nil {
		return err
	}
	fmt.Println(s.URL())
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return fmt.Errorf("wait for end: %w", err)
	}
	return s.Close()
}

// ours serves the list by s3serve. Keys lie in memory as they come: sorted, those
// of a page are neighbours, and it costs half as much.
func ours(list *keys.List) (http.Handler, error) {
	var cut error
	l, err := s3serve.FromKeys(slices.Values(slices.Sorted(list.Seq(&cut))))
	if err == nil {
		err = cut
	}
	if err != nil {
		return nil, fmt.Errorf("load keys: %w", err)
	}
	return s3serve.New(s3serve.Options{Buckets: map[string]*s3serve.Listing{bucket: l}}), nil
}

package console

import (
	"bytes"
	"testing"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// ended is aRun when it is over.
func ended(state ledger.State, failures int64) Snapshot {
	r := aRun()
	r.State, r.Finished = state, noon.Add(-800*time.Millisecond)
	r.Totals = schema.Account{Nodes: 211, Objects: 1_234_567, Bytes: 3_650_722_201, Failures: failures}
	return Take(r, []ledger.Worker{aWorker()}, noon)
}

func TestSummaryAsJSON(t *testing.T) {
	var b bytes.Buffer
	s := ended(ledger.Finished, 0).Summary()
	s.Totals.Prefixes, s.Out = new(int64(154_355)), "out/<a&b>/manifest.json"
	if err := s.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	same(t, b.String(), `{"run":"photos","target":"s3://bucket/photos/","state":"finished","nodes":211,"failed":0,"totals":{"objects":1234567,"bytes":3650722201,"prefixes":154355},"requests":{"head":60,"list":1240},"retries":3,"seconds":14.2,"out":"out/<a&b>/manifest.json"}`+"\n")

	b.Reset()
	if err := (Summary{Run: "r", State: Interrupted}).WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	same(t, b.String(), `{"run":"r","target":"","state":"interrupted","nodes":0,"failed":0,"totals":{"objects":0,"bytes":0,"prefixes":null},"requests":{},"retries":0,"seconds":0,"out":""}`+"\n")
}

func TestSummaryAsText(t *testing.T) {
	finished := ended(ledger.Finished, 0).Summary()
	finished.Totals.Prefixes, finished.Out = new(int64(154_355)), "out/photos/manifest.json"
	finished.Biggest = []Prefix{{"usr/share/doc/", 500_000, 1_288_490_189}, {"usr/bin/", 31_995, 314_572_800}, {"日本/\x1b[2J\n", 1, 12}}

	failed := ended(ledger.Failed, 3).Summary()
	failed.Options = "--state 'my runs'"

	interrupted := Take(aRun(), []ledger.Worker{aWorker()}, noon).Summary()
	interrupted.State = Interrupted

	one := Snapshot{Run: "r", Target: "file:nodes.ndjson", Kind: "command", State: Failed, Objects: 1, Nodes: 1, Failures: 1, Seconds: 200, Requests: map[string]int64{}}.Summary()

	for _, c := range []struct {
		name string
		s    Summary
		want string
	}{
		{"finished", finished, `Run photos of s3://bucket/photos/ finished in 14.2 s.

  keys      1,234,567  86,941/s
  bytes     3.4 GiB    245 MiB/s
  prefixes  154,355
  nodes     211        15/s
  requests  1,300      92/s  1,240 list, 60 head
  retries   3
  failed    0

Biggest prefixes:
     keys    bytes  prefix
  500,000  1.2 GiB  usr/share/doc/
   31,995  300 MiB  usr/bin/
        1     12 B  日本/\x1b[2J\n

The inventory lies in
  out/photos/manifest.json
`},
		{"failed", failed, `Run photos of s3://bucket/photos/ finished with failures in 14.2 s.

  keys      1,234,567  86,941/s
  bytes     3.4 GiB    245 MiB/s
  nodes     211        15/s
  requests  1,300      92/s  1,240 list, 60 head
  retries   3
  failed    3

The inventory lies in
  out/photos

3 nodes were given up. To see why:
  ramify failed photos --state 'my runs'
To try again:
  ramify redrive photos --state 'my runs'
`},
		{"interrupted", interrupted, `Run photos of s3://bucket/photos/ was interrupted after 15.0 s.

  keys      1,234,567  82,304/s
  bytes     3.4 GiB    232 MiB/s
  nodes     210        14/s
  requests  1,300      87/s  1,240 list, 60 head
  retries   3
  failed    0

The inventory is made when the run is over, in
  out/photos

It was interrupted, and nothing is lost. To go on:
  ramify resume photos
`},
		{"one of each", one, `Run r of file:nodes.ndjson finished with failures in 3m20s.

  objects   1    0.0/s
  bytes     0 B  0 B/s
  nodes     1    0.0/s
  requests  0    0/s
  retries   0
  failed    1

1 node was given up. To see why:
  ramify failed r
To try again:
  ramify redrive r
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := c.s.WriteText(&b); err != nil {
				t.Fatal(err)
			}
			same(t, b.String(), c.want)
		})
	}
}

package console

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/ledger"
)

func TestStatus(t *testing.T) {
	r := aRun()
	r.Target = "s3://bucket/\x1b[2Jphotos/\n"
	alive := Take(r, []ledger.Worker{aWorker()}, noon)
	dead := Take(r, []ledger.Worker{aWorker()}, noon.Add(time.Hour))
	if h := hints(Take(r, nil, r.Created.Add(time.Second)), ""); len(h) > 0 {
		t.Errorf("of a run that has just begun: %q", h)
	}
	r.Paused, r.Epoch = true, 1
	paused := Take(r, nil, noon)
	paused.Failures = 1

	for _, c := range []struct {
		name string
		s    Snapshot
		want string
	}{
		{"alive", alive, `run        photos
target     s3://bucket/\x1b[2Jphotos/\n
state      running
done       42.0%      ▕████████▍           ▏
elapsed    15.0 s
keys       1,234,567  82,304/s
bytes      3.4 GiB    232 MiB/s
nodes      210        14/s
requests   1,300      87/s  1,240 list, 60 head
retries    3
in flight  64         of 64 slots, 1 worker
failed     0
`},
		{"dead", dead, `run        photos
target     s3://bucket/\x1b[2Jphotos/\n
state      running
done       42.0%      ▕████████▍           ▏
elapsed    14.0 s
keys       1,234,567  88,183/s
bytes      3.4 GiB    249 MiB/s
nodes      210        15/s
requests   1,300      93/s  1,240 list, 60 head
retries    3
in flight  0          of 0 slots, 0 workers
failed     0

No worker has reported in the last 10s. To go on:
  ramify resume photos --state d
`},
		{"paused", paused, `run        photos
target     s3://bucket/\x1b[2Jphotos/\n
state      paused  redriven 1 time
done       0.0%    ▕                    ▏
elapsed    0.00 s
keys       0       0/s
bytes      0 B     0 B/s
nodes      0       0/s
requests   0       0/s
retries    0
in flight  0       of 0 slots, 0 workers
failed     1

1 node was given up. To see why:
  ramify failed photos --state d
It is paused. To go on:
  ramify resume photos --state d
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := WriteStatus(&b, c.s, "--state d"); err != nil {
				t.Fatal(err)
			}
			same(t, b.String(), c.want)
		})
	}
}

func TestTableInColour(t *testing.T) {
	r := aReading()
	r.Failures, r.State = 2, Paused
	plain, coloured := new(Terminal).table(r, 80), (&Terminal{color: true}).table(r, 80)
	if got := unstyled(strings.Join(coloured, "\n")); got != strings.Join(plain, "\n") {
		t.Errorf("with colours it reads\n%s", got)
	}
	if got := coloured[len(coloured)-1]; !strings.Contains(got, "\x1b[31m2\x1b[0m") {
		t.Errorf("failures are not red: %q", got)
	}
}

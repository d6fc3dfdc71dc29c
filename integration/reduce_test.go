package integration

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// sorter is somebody who sorts a file by the example of a join, and who has a folder
// in the place of the result.
type sorter struct {
	file, out, jobs string
	want            []byte
}

func newSorter(t *testing.T, u *user) *sorter {
	t.Helper()
	u.env = append(u.env, "PATH="+os.Getenv("PATH"))
	jobs, err := filepath.Abs("../examples/sort.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := &sorter{file: u.path("words"), out: u.path("sorted"), jobs: jobs}
	r := rand.New(rand.NewPCG(1, 2))
	lines := make([]string, 150_000)
	for i := range lines {
		lines[i] = fmt.Sprintf("%x\n", r.Uint64())
	}
	if err := os.WriteFile(s.file, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	s.want = []byte(strings.Join(lines, ""))
	if err := os.Mkdir(s.out, 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sorter) target() string { return "job:sort?file=" + s.file + "&out=" + s.out }

// parts are when the parts of the file were sorted last.
func (s *sorter) parts(t *testing.T) (when []time.Time) {
	t.Helper()
	entries, err := os.ReadDir(s.out + ".parts")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		when = append(when, info.ModTime())
	}
	return when
}

// mend takes away what is in the way of the reduce.
func (s *sorter) mend(t *testing.T) {
	t.Helper()
	if err := os.Remove(s.out); err != nil {
		t.Fatal(err)
	}
}

func (s *sorter) requireSorted(t *testing.T) {
	t.Helper()
	if got := readFile(t, s.out); !bytes.Equal(got, s.want) {
		t.Errorf("%d bytes, want %d, sorted", len(got), len(s.want))
	}
}

// A reduce that fails is told as any node that does; redriven, it runs once all is
// well, and its children do not run again.
func TestReduceFailsAndIsRedriven(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	s := newSorter(t, u)
	r := u.run(t, "run", s.target(), "--jobs", s.jobs, "--run", "r", "--retries", "1", "--out", "out", "--json")
	r.requireCode(t, 3)
	sum := parseSummary(t, r.stdout)
	when := s.parts(t)
	if sum.State != "finished_with_failures" || sum.Failed != 1 || sum.Totals.Objects != 150_000 || sum.Nodes != int64(1+len(when)) || len(when) < 3 {
		t.Errorf("%+v, %d parts", sum, len(when))
	}
	failed := u.run(t, "failed", "r")
	failed.requireCode(t, 0)
	for _, part := range []string{"command.reduce ", " sort file=", "its reduce failed: ", "Is a directory"} {
		requireHas(t, failed.stdout, part)
	}
	// It fails again, the same, and nothing is counted twice.
	r = u.run(t, "redrive", "r", "--json")
	r.requireCode(t, 3)
	if again := parseSummary(t, r.stdout); again.Failed != 1 || again.Nodes != sum.Nodes || again.Totals != sum.Totals {
		t.Errorf("%+v, before it was %+v", again, sum)
	}
	s.mend(t)
	r = u.run(t, "redrive", "r", "--json")
	r.requireCode(t, 0)
	if end := parseSummary(t, r.stdout); end.State != "finished" || end.Failed != 0 || end.Nodes != sum.Nodes || end.Totals != sum.Totals {
		t.Errorf("%+v, before it was %+v", end, sum)
	}
	s.requireSorted(t)
	if !slices.Equal(s.parts(t), when) {
		t.Error("parts were sorted again, though only the reduce had failed")
	}
	var rows bytes.Buffer
	for _, f := range readManifest(t, u.path("out")).Files {
		rows.Write(unzstd(t, readFile(t, u.path("out/"+f.Key))))
	}
	want := fmt.Sprintf(`{"sorted": %q, "lines": 150000, "parts": %d}`+"\n", s.out, len(when))
	if rows.String() != want {
		t.Errorf("rows %q, want %q", rows.String(), want)
	}
	requireText(t, u.run(t, "failed", "r").stdout, "No node was given up.\n")
}

// A child that fails keeps its parent from reducing, until it is redriven.
func TestReduceWaitsForWhatFailedBelow(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	s := newSorter(t, u)
	s.mend(t)
	blocked := filepath.Join(s.out+".parts", fmt.Sprintf("%020d", 0))
	if err := os.MkdirAll(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	u.run(t, "run", s.target(), "--jobs", s.jobs, "--run", "r", "--retries", "0").requireCode(t, 3)
	if _, err := os.Stat(s.out); !os.IsNotExist(err) {
		t.Errorf("the parts were merged though one is missing: %v", err)
	}
	requireHas(t, u.run(t, "failed", "r").stdout, s.file+" from byte 0")
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	u.run(t, "redrive", "r").requireCode(t, 0)
	s.requireSorted(t)
}

// On a fleet as on one machine.
func TestFleetReduceFailsAndIsRedriven(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "").with("RAMIFY_VISIBILITY=1m") // what is seen again is sorted again
	s := newSorter(t, c.user)
	c.setup(t)
	a, b := c.work(t, "--jobs", s.jobs), c.work(t, "--jobs", s.jobs)
	c.run(t, "seed", s.target(), "--jobs", s.jobs, "--run", "r", "--retries", "1", "--watch").requireCode(t, 3)
	requireHas(t, c.run(t, "failed", "r").stdout, "its reduce failed: ")
	when := s.parts(t)
	s.mend(t)
	c.run(t, "redrive", "r").requireCode(t, 0)
	if sum := c.awaitFleet(t, "r", "finished"); sum.Failed != 0 || sum.Totals.Objects != 150_000 {
		t.Errorf("%+v", sum)
	}
	s.requireSorted(t)
	if !slices.Equal(s.parts(t), when) {
		t.Error("parts were sorted again, though only the reduce had failed")
	}
	for _, p := range []*process{a, b} {
		p.signal(t, terminate)
		p.wait(t).requireCode(t, 0)
	}
}

package faults

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ramify/ramify/integration/program"
)

// damages are what disks, copies and people do to a file.
var damages = []struct {
	name string
	do   func(r *rand.Rand, file []byte) []byte
	sure bool // it cannot go unnoticed
}{
	{"emptied", func(_ *rand.Rand, _ []byte) []byte { return nil }, true},
	{"cut to a byte", func(_ *rand.Rand, file []byte) []byte { return file[:1] }, true},
	{"cut within the header", func(_ *rand.Rand, file []byte) []byte { return file[:60] }, true},
	{"cut to a page", func(_ *rand.Rand, file []byte) []byte { return file[:4096] }, true},
	{"cut to a half", func(_ *rand.Rand, file []byte) []byte { return file[:len(file)/2] }, true},
	{"another file", func(_ *rand.Rand, _ []byte) []byte { return []byte(strings.Repeat("These are my notes.\n", 400)) }, true},
	{"no magic", func(_ *rand.Rand, file []byte) []byte { file[3] ^= 0x20; return file }, true},
	{"not our mark", func(_ *rand.Rand, file []byte) []byte { file[68] ^= 1; return file }, true},
	{"of a newer program", func(_ *rand.Rand, file []byte) []byte { file[63] = 77; return file }, true},
	{"no tables", func(_ *rand.Rand, file []byte) []byte { clear(file[100:4096]); return file }, true},
	{"zeros from the second page on", func(_ *rand.Rand, file []byte) []byte { clear(file[4096:]); return file }, true},
	{"noise from the second page on", func(r *rand.Rand, file []byte) []byte {
		for i := 4096; i < len(file); i++ {
			file[i] = byte(r.Uint32())
		}
		return file
	}, true},
	{"a page of zeros", func(r *rand.Rand, file []byte) []byte {
		at := r.IntN(len(file)/4096) * 4096
		clear(file[at : at+4096])
		return file
	}, false},
	{"a page of noise", func(r *rand.Rand, file []byte) []byte {
		at := r.IntN(len(file)/4096) * 4096
		for i := range 4096 {
			file[at+i] = byte(r.Uint32())
		}
		return file
	}, false},
}

// A file that is damaged is refused in one line that names it, and is not written to:
// who has a copy of a part of it, or a tool that mends it, finds it as it was. Where
// damage goes unnoticed since nobody reads what is damaged, the run ends as any.
func TestStateDamaged(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	u, tr := program.NewUser(t, ""), slow(scaled(12, 25))
	p := walk(t, u, tr)
	p.Signal(t, program.Interrupt)
	p.Wait(t).RequireCode(t, 130)
	whole, err := os.ReadFile(filepath.Join(u.State(), "r.db"))
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range damages {
		for n := range scaled(1, map[bool]int{true: 1, false: 100}[d.sure]) {
			t.Run(fmt.Sprint(d.name, " ", n), func(t *testing.T) {
				t.Parallel()
				bad := d.do(rand.New(rand.NewPCG(seed, uint64(i*1000+n))), append([]byte(nil), whole...))
				v := program.NewUser(t, "")
				path := filepath.Join(v.State(), "r.db")
				if err := os.MkdirAll(v.State(), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, bad, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.CopyFS(v.Path("out"), os.DirFS(u.Path("out"))); err != nil {
					t.Fatal(err)
				}
				for _, args := range [][]string{{"status", "r", "--json"}, {"failed", "r"}, {"resume", "r", "--json", "--state", v.State()}, {"run", tr.target(), "--run", "r", "--out", "out"}} {
					r := v.Run(t, args...)
					if r.Code == 0 && !d.sure {
						continue
					}
					if args[0] == "run" && len(bad) == 0 {
						continue // an empty file is what a run leaves that never began: it is begun
					}
					if r.Code != 1 && r.Code != 2 && (r.Code != 3 || d.sure) {
						t.Fatalf("%v: code %d, said %s", args[0], r.Code, program.Shortened(r.Stderr))
					}
					if r.Code == 3 {
						continue
					}
					refuses(t, r, r.Code, "r")
					if now, err := os.ReadFile(path); d.sure && (err != nil || string(now) != string(bad)) {
						t.Fatalf("%s has written to the file: %d bytes, %d before, %v", args[0], len(now), len(bad), err)
					}
				}
			})
		}
	}
}

// A state file that was copied or renamed is another run's: a run of its new name is not
// begun in it, which would remove all that it keeps, and nobody is told to begin one.
func TestStateOfAnotherRun(t *testing.T) {
	t.Parallel()
	u := program.NewUser(t, "")
	const node = `{"kind":"synthetic","id":"0","args":{"fanout":3,"depth":1}}`
	u.Run(t, "run", node, "--run", "old", "--json").RequireCode(t, 0)
	was, now := filepath.Join(u.State(), "old.db"), filepath.Join(u.State(), "new.db")
	if err := os.Rename(was, now); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"status", "new"}, {"resume", "new"}, {"redrive", "new"}, {"run", node, "--run", "new"}} {
		refuses(t, u.Run(t, args...), 2, now, "run old", was)
	}
	if err := os.Rename(now, was); err != nil {
		t.Fatal(err)
	}
	u.Run(t, "status", "old").RequireCode(t, 0)
}

// The lock of a run that goes on is taken for one that was left, and removed: who works on
// the run writes no more, since another may begin, and both would write the same results.
func TestLockRemoved(t *testing.T) {
	t.Parallel()
	u, tr := program.NewUser(t, ""), slow(scaled(12, 25))
	p := walk(t, u, tr)
	if err := os.Remove(filepath.Join(u.State(), "r.db.lock")); err != nil {
		t.Fatal(err)
	}
	refuses(t, p.Wait(t), 2, "r.db", "its lock file was removed", "ramify resume r")
	resumes(t, u, tr)
}

// Descriptors run out: at the beginning that is said in one line; in the middle the
// run ends or goes on, and is whole once there are enough.
func TestDescriptorsExhausted(t *testing.T) {
	t.Parallel()
	t.Run("at the beginning", func(t *testing.T) {
		t.Parallel()
		tr := long(5)
		for most := 9; most <= 15; most++ { // with less, Go's runtime cannot begin
			u := program.NewUser(t, "")
			p := limited(u, "-n", most, "run", tr.target(), "--run", "r", "--out", "out", "--json")
			p.Begin(t)
			r := p.Wait(t)
			if r.Code != 0 {
				refuses(t, r, 2, "too many", "ulimit -n")
				t.Log(most, strings.TrimSpace(r.Stderr))
				if r = u.Run(t, "resume", "r", "--json"); r.Code != 0 {
					r = u.Run(t, "run", tr.target(), "--run", "r", "--out", "out", "--json")
				}
			}
			r.RequireCode(t, 0)
			tr.whole(t, program.ParseSummary(t, r.Stdout))
			tr.listed(t, u.Path("out"))
		}
	})
	t.Run("in the middle", func(t *testing.T) {
		t.Parallel()
		u, tr := program.NewUser(t, ""), long(scaled(14, 30))
		p := walk(t, u, tr)
		limit(t, p, syscall.RLIMIT_NOFILE, 3)
		r := p.Wait(t)
		if r.Code != 0 {
			refuses(t, r, 2, "too many", "ramify resume r")
			resumes(t, u, tr)
			return
		}
		tr.whole(t, program.ParseSummary(t, r.Stdout))
		tr.listed(t, u.Path("out"))
	})
}

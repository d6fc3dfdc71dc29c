package faults

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/klauspost/compress/zstd"

	"github.com/ramify/ramify/integration/program"
	"github.com/ramify/ramify/internal/emulator"
	"github.com/ramify/ramify/processor/synthetic"
)

// rowsOf are the ids in the inventory of a tree.
func rowsOf(t *testing.T, dir string) (ids []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct{ Files []struct{ Key string } }
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range m.Files {
		packed, err := os.ReadFile(filepath.Join(dir, f.Key))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := z.DecodeAll(packed, nil)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(plain)) {
			var row struct{ ID string }
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatalf("row %s: %v", line, err)
			}
			ids = append(ids, row.ID)
		}
	}
	return ids
}

// listed fails the test unless each node of a tree has exactly one row.
func (tr tree) listed(t *testing.T, dir string) {
	t.Helper()
	ids := rowsOf(t, dir)
	slices.Sort(ids)
	tr.Fail = 0
	want := synthetic.Expect(&tr.Spec, 1).Rows
	if n := len(slices.Compact(slices.Clone(ids))); int64(n) != want || len(ids) != n {
		t.Fatalf("%d rows, %d different ones, want %d", len(ids), n, want)
	}
}

// limit sets a limit of a process that runs, as prlimit(1) does.
func limit(t *testing.T, p *program.Process, resource int, most uint64) {
	t.Helper()
	l := syscall.Rlimit{Cur: most, Max: most}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(p.Cmd.Process.Pid), uintptr(resource), uintptr(unsafe.Pointer(&l)), 0, 0, 0)
	if errno != 0 && p.Running() {
		t.Fatalf("set limit %d to %d: %v", resource, most, errno)
	}
}

// limited is a command that begins with a limit of the shell's ulimit.
func limited(u *program.User, flag string, most int, args ...string) *program.Process {
	cmd := u.Command(args...)
	cmd.Args = append([]string{"sh", "-c", `ulimit "$1" "$2" && shift 2 && exec "$@"`, "sh", flag, number(most), cmd.Path}, args...)
	cmd.Path = "/bin/sh"
	return program.New(cmd)
}

// long is a tree whose walk takes seconds, with rows.
func long(fanout int) tree {
	return tree{Spec: synthetic.Spec{Fanout: fanout, Depth: 3, Objects: 2, Bytes: 10, Rows: true, Work: synthetic.Duration(2 * time.Millisecond)}}
}

// slow is a long tree that is certainly not at its end when somebody interrupts it, two
// nodes at a time: to its end it goes faster.
func slow(fanout int) tree {
	tr := long(fanout)
	tr.Work = synthetic.Duration(30 * time.Millisecond)
	return tr
}

// faster is how many nodes at a time a run is resumed with.
const faster = "64"

// walk begins a run that keeps two things going at a time, and waits until some of it
// is in its file.
func walk(t *testing.T, u *program.User, tr tree, args ...string) *program.Process {
	t.Helper()
	p := u.Start(t, append([]string{"run", tr.target(), "--run", "r", "--out", "out", "--concurrency", "2", "--inline", "20", "--json"}, args...)...)
	p.Stderr.Await(t, "run r\n")
	waitUntil(t, p, "its file to grow", func() bool { return largest(u.State()) > 200<<10 })
	return p
}

// waitUntil looks every so often: nobody tells what a process writes.
func waitUntil(t *testing.T, p *program.Process, what string, ok func() bool) {
	t.Helper()
	over := time.After(program.Patience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-p.Done:
			t.Fatalf("ended while the test waited for %s: %s", what, p.Stderr)
		case <-over:
			t.Fatalf("waited %v for %s", program.Patience, what)
		}
	}
}

// largest is the size of the largest file below a folder.
func largest(dir string) (size int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // it is gone
		}
		if info, err := d.Info(); err == nil {
			size = max(size, info.Size())
		}
		return nil
	})
	return size
}

// resumes fails the test unless a run goes on to its end, and all is as it must be.
func resumes(t *testing.T, u *program.User, tr tree) {
	t.Helper()
	r := u.Run(t, "resume", "r", "--json", "--concurrency", faster)
	r.RequireCode(t, 0)
	tr.whole(t, program.ParseSummary(t, r.Stdout))
	tr.listed(t, u.Path("out"))
}

const noRoom = "make room on the disk"

// A disk that is full is said in one line that names the file, and what was done until
// then is not lost: the run goes on once there is room.
//
// The disk is full for the process alone, by a limit of the size of its files: the
// kernel refuses its writes as it does where there is no space, with another number.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	t.Run("at the beginning", func(t *testing.T) {
		t.Parallel()
		for _, blocks := range []int{0, 1, 9, 70, 200} {
			u := program.NewUser(t, "")
			tr := long(6)
			p := limited(u, "-f", blocks, "run", tr.target(), "--run", "r", "--out", "out", "--json")
			p.Begin(t)
			r := p.Wait(t)
			refuses(t, r, 2, u.State(), noRoom)
			// Whether or not the run had begun, it can be gone on with or begun anew.
			r = u.Run(t, "resume", "r", "--json")
			if r.Code != 0 {
				r = u.Run(t, "run", tr.target(), "--run", "r", "--out", "out", "--json")
			}
			r.RequireCode(t, 0)
			tr.whole(t, program.ParseSummary(t, r.Stdout))
			tr.listed(t, u.Path("out"))
		}
	})
	for i := range scaled(2, 20) {
		t.Run(fmt.Sprintf("in the middle %d", i), func(t *testing.T) {
			t.Parallel()
			u, tr := program.NewUser(t, ""), slow(scaled(18, 30))
			p := walk(t, u, tr)
			limit(t, p, syscall.RLIMIT_FSIZE, uint64(largest(u.State()))+uint64(i)<<14)
			refuses(t, p.Wait(t), 2, noRoom, "ramify resume r")
			resumes(t, u, tr)
		})
	}
	// A device that is always full.
	t.Run("streamed", func(t *testing.T) {
		t.Parallel()
		u, tr := program.NewUser(t, ""), long(6)
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer full.Close()
		p := program.New(u.Command("run", tr.target(), "--run", "r", "--out", "-"))
		p.Cmd.Stdout = full
		p.Begin(t)
		refuses(t, p.Wait(t), 2, "no space left on device", "ramify resume r")
		r := u.Run(t, "resume", "r")
		r.RequireCode(t, 0)
		if n := int64(strings.Count(r.Stdout, "\n")); n != synthetic.Expect(&tr.Spec, 1).Rows {
			t.Errorf("%d rows after it was full", n)
		}
	})
}

// nobody is the user who runs what must not be root's, whom no permission binds; 0:
// the test is not root's, and permissions bind whoever it is.
func nobody() int {
	if os.Getuid() == 0 {
		return 65534
	}
	return 0
}

// as is a command run by a user whom permissions bind.
func as(t *testing.T, u *program.User, args ...string) program.Result {
	t.Helper()
	p := program.New(u.Command(args...))
	emulator.Own(p.Cmd, nobody())
	p.Begin(t)
	return p.Wait(t)
}

// opened has others reach a test's folder, and own all of it.
func opened(t *testing.T, u *program.User) {
	t.Helper()
	for dir := u.Dir; dir != filepath.Dir(dir) && dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if nobody() == 0 {
		return
	}
	err := filepath.WalkDir(u.Dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, nobody(), nobody())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// writable sets the permissions of all below a folder.
func writable(t *testing.T, dir string, may bool) {
	t.Helper()
	file, folder := fs.FileMode(0o400), fs.FileMode(0o500)
	if may {
		file, folder = 0o600, 0o700
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Chmod(path, folder)
		}
		return os.Chmod(path, file)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// contents are the files below a folder, by their names.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What cannot be written is said in one line that names it; nothing of it is changed,
// and once it can be written, the run goes on.
func TestDiskReadOnly(t *testing.T) {
	t.Parallel()
	u, tr := program.NewUser(t, ""), slow(10)
	p := walk(t, u, tr)
	p.Signal(t, program.Interrupt)
	p.Wait(t).RequireCode(t, 130)
	opened(t, u)

	writable(t, u.State(), false)
	t.Cleanup(func() { writable(t, u.Dir, true) })
	before := contents(t, u.State())
	const way = "allow writing to the folder"
	refuses(t, as(t, u, "run", tr.target(), "--run", "other", "--out", "elsewhere"), 2, u.State(), way)
	refuses(t, as(t, u, "run", tr.target(), "--run", "r", "--out", "out"), 2, u.State(), way)
	refuses(t, as(t, u, "resume", "r"), 2, u.State(), way)
	refuses(t, as(t, u, "cancel", "r"), 2, u.State(), way)
	for name, text := range contents(t, u.State()) {
		if before[name] != text {
			t.Errorf("file %s was changed", name)
		}
	}

	writable(t, u.State(), true)
	writable(t, u.Path("out"), false)
	refuses(t, as(t, u, "resume", "r"), 2, "permission denied")
	writable(t, u.Path("out"), true)
	r := as(t, u, "resume", "r", "--json", "--concurrency", faster)
	r.RequireCode(t, 0)
	tr.whole(t, program.ParseSummary(t, r.Stdout))
	tr.listed(t, u.Path("out"))
}

// Killed while its list is still being read, a run has not begun: the same name, the
// same folder and the list as it is now make one, with nothing of what was read before.
func TestKilledBeforeItBegan(t *testing.T) {
	t.Parallel()
	u := program.NewUser(t, "")
	p := program.New(u.Command("run", "file:-", "--run", "r", "--out", "out", "--json"))
	list, err := p.Cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Begin(t)
	go func() { // more than is copied at a time, and no end
		for i := 0; ; i++ {
			if _, err := fmt.Fprintf(list, `{"kind":"synthetic","id":"before-%d"}`+"\n", i); err != nil {
				return
			}
		}
	}()
	waitUntil(t, p, "the list to be copied", func() bool { return largest(u.State()) > 1<<20 })
	p.Signal(t, program.Kill)
	<-p.Done

	refuses(t, u.Run(t, "status", "r"), 1, "run r was never begun")
	if err := os.WriteFile(u.Path("nodes"), []byte(strings.Repeat(`{"kind":"synthetic","id":"0"}`+"\n", 50)), 0o600); err != nil {
		t.Fatal(err)
	}
	r := u.Run(t, "run", "file:nodes", "--run", "r", "--out", "out", "--json")
	r.RequireCode(t, 0)
	if sum := program.ParseSummary(t, r.Stdout); sum.State != "finished" || sum.Nodes != 51 {
		t.Errorf("%+v, want 50 nodes and the list", sum)
	}
}

package faults

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ramify/ramify/integration/program"
	"github.com/ramify/ramify/proof/exact"
)

// instrumented is the command with a main function of our own before its own, for what
// cannot be seen or done from outside of a process. It keeps a count of its goroutines,
// and of the bytes of its heap that are live, in the file gaugeVar names. And its clock
// shows seconds more than the machine's, as many as stand in the file clockVar names,
// and changes when the file does.
//
// A process has no clock of its own otherwise: the kernel has one for all, its time
// namespaces are for monotonic clocks, and nothing can be loaded into a static binary.
// But the runtime reads the clock by a function that the kernel puts into each process,
// through a variable: here that leads to one that asks the kernel's, and adds the
// seconds to the answer if the wall clock was asked for. So all in the process is
// deceived, libraries too, and the monotonic clock is as it was, as where a machine's
// clock is set.
//
// Source: vdso(7); runtime/time_linux_amd64.s; System V ABI for AMD64, 3.2.
var instrumented = sync.OnceValues(func() (string, error) {
	root, err := filepath.Abs(filepath.Join("..", "..")) // go build finds edited files by their absolute names
	if err != nil {
		return "", err
	}
	return exact.Command(context.Background(), root, "./cmd/ramify", filepath.Join(filepath.Dir(binary), "instrumented"),
		exact.Edit{File: "cmd/ramify/main.go", Old: "import \"github.com/ramify/ramify/app\"\n", New: imports},
		exact.Edit{File: "cmd/ramify/main.go", Old: "func main() { app.Main(nil) }\n", New: instruments},
	)
})

const (
	clockVar = "RAMIFY_PROOF_CLOCK"
	gaugeVar = "RAMIFY_PROOF_GAUGE"
)

const imports = `import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/ramify/ramify/app"
)
`

const instruments = `
func main() {
	if clock := os.Getenv("` + clockVar + `"); clock != "" {
		deceive()
		set(clock)
		go func() {
			for {
				time.Sleep(10 * time.Millisecond)
				set(clock)
			}
		}()
	}
	if gauge := os.Getenv("` + gaugeVar + `"); gauge != "" {
		go func() {
			live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
			for {
				metrics.Read(live)
				text := fmt.Sprint(runtime.NumGoroutine(), " ", live[0].Value.Uint64())
				if os.WriteFile(gauge+".new", []byte(text), 0o600) == nil {
					os.Rename(gauge+".new", gauge)
				}
				time.Sleep(200 * time.Millisecond)
			}
		}()
	}
	app.Main(nil)
}

var step int64

func set(clock string) {
	text, err := os.ReadFile(clock)
	if err != nil {
		return
	}
	if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
		atomic.StoreInt64(&step, n)
	}
}

//go:linkname asks runtime.vdsoClockgettimeSym
var asks uintptr

// deceive puts a function of ours before the kernel's.
func deceive() {
	code := []byte{0x53, 0x41, 0x54, 0x48, 0x83, 0xec, 0x08} // push rbx; push r12; sub rsp, 8
	code = append(code, 0x89, 0xfb, 0x49, 0x89, 0xf4)        // mov ebx, edi; mov r12, rsi
	code = append(code, 0x48, 0xb8)                          // mov rax, the kernel's
	code = binary.LittleEndian.AppendUint64(code, uint64(asks))
	code = append(code, 0xff, 0xd0, 0x85, 0xdb, 0x75, 0x11)  // call rax; test ebx, ebx (CLOCK_REALTIME is 0); jne +17
	code = append(code, 0x48, 0xb9)                          // mov rcx, &step
	code = binary.LittleEndian.AppendUint64(code, uint64(uintptr(unsafe.Pointer(&step))))
	code = append(code, 0x48, 0x8b, 0x09, 0x49, 0x01, 0x0c, 0x24) // mov rcx, [rcx]; add [r12], rcx
	code = append(code, 0x48, 0x83, 0xc4, 0x08, 0x41, 0x5c, 0x5b, 0xc3) // add rsp, 8; pop r12; pop rbx; ret
	page, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil || asks == 0 {
		panic(fmt.Sprint("no clock to deceive: ", err))
	}
	copy(page, code)
	if err := syscall.Mprotect(page, syscall.PROT_READ|syscall.PROT_EXEC); err != nil {
		panic(err)
	}
	asks = uintptr(unsafe.Pointer(&page[0]))
}
`

// begin starts the instrumented command for a user.
func begin(t *testing.T, u *program.User, env []string, args ...string) *program.Process {
	t.Helper()
	path, err := instrumented()
	if err != nil {
		t.Fatal(err)
	}
	cmd := u.Command(args...)
	cmd.Path = path
	cmd.Env = append(append([]string{}, u.Env...), env...)
	p := program.New(cmd)
	p.Begin(t)
	return p
}

// clock is a clock that is set, of one process or of some.
type clock string

func newClock(t *testing.T, step time.Duration) clock {
	t.Helper()
	c := clock(filepath.Join(t.TempDir(), "clock"))
	c.set(t, step)
	return c
}

func (c clock) set(t *testing.T, step time.Duration) {
	t.Helper()
	if err := os.WriteFile(string(c)+".new", []byte(strconv.Itoa(int(step.Seconds()))), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(string(c)+".new", string(c)); err != nil {
		t.Fatal(err)
	}
}

func (c clock) env() string { return clockVar + "=" + string(c) }

// gauge is what a process has at a moment.
type gauge struct {
	goroutines, descriptors int
	live, resident          int64 // bytes
}

// read asks the process itself, and the kernel.
func (g *gauge) read(path string, pid int) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if _, err := fmt.Sscan(string(text), &g.goroutines, &g.live); err != nil {
		return err
	}
	proc := "/proc/" + strconv.Itoa(pid)
	open, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		return err
	}
	g.descriptors = len(open)
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			var kib int64
			if _, err := fmt.Sscan(rest, &kib); err != nil {
				return err
			}
			g.resident = kib << 10
		}
	}
	return nil
}

package app

import (
	"bytes"
	"fmt"
	"io/fs"
	"math"
	"os"
	"runtime/debug"
	"strconv"
)

// garbage is how much may gather, in percent of what lives, before it is collected.
// A task makes much garbage and keeps little: at Go's 100 it would collect it many
// times a second.
const garbage = 400

// tuneMemory trades memory for time, as far as there is memory. GOGC and GOMEMLIMIT,
// where they are set, say otherwise. Source: Go documentation, "A Guide to the Go
// Garbage Collector".
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit(os.DirFS("/")))
	}
}

// memoryLimit is from what on garbage is collected more often, in bytes: the rest,
// a fifth, is for what is not Go's and for others.
func memoryLimit(root fs.FS) int64 {
	return memory(root) / 5 * 4
}

// memory is how much there is, in bytes: that of the container or, where it has no
// limit, of the machine. Source: Linux kernel documentation, "Control Group v2" and
// "Memory Resource Controller" (v1), proc_meminfo(5).
func memory(root fs.FS) int64 {
	least := int64(math.MaxInt64)
	for _, name := range []string{"sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := fs.ReadFile(root, name)
		if err != nil {
			continue
		}
		// "max" where there is no limit.
		if n, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64); err == nil && n > 0 {
			least = min(least, n)
		}
	}
	var kib int64
	if text, err := fs.ReadFile(root, "proc/meminfo"); err == nil {
		if n, _ := fmt.Sscanf(string(text), "MemTotal: %d kB", &kib); n == 1 && kib > 0 {
			least = min(least, kib<<10)
		}
	}
	return least
}

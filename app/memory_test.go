package app

import (
	"math"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestGarbageGathersWithinTheMemoryOfTheContainer(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	machine := file("MemTotal:        8388608 kB\nMemFree:          100000 kB\n")
	const mib = 1 << 20
	for name, c := range map[string]struct {
		root fstest.MapFS
		want int64
	}{
		"limit of cgroup v2": {fstest.MapFS{"sys/fs/cgroup/memory.max": file("536870912\n"), "proc/meminfo": machine}, 512 * mib},
		"limit of cgroup v1": {fstest.MapFS{"sys/fs/cgroup/memory/memory.limit_in_bytes": file("536870912\n"), "proc/meminfo": machine}, 512 * mib},
		"no limit":           {fstest.MapFS{"sys/fs/cgroup/memory.max": file("max\n"), "proc/meminfo": machine}, 8192 * mib},
		"no limit in v1":     {fstest.MapFS{"sys/fs/cgroup/memory/memory.limit_in_bytes": file("9223372036854771712\n"), "proc/meminfo": machine}, 8192 * mib},
		"not Linux":          {fstest.MapFS{}, math.MaxInt64},
	} {
		require.Equal(t, c.want, memory(c.root), name)
		require.InEpsilon(t, float64(c.want)*0.8, float64(memoryLimit(c.root)), 0.01, name)
	}
}

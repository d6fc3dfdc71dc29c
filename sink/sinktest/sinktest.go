// Package sinktest is the contract of package sink as tests: each subtest is a
// sentence of it. Every implementation runs the suite.
package sinktest

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// Subject is an implementation under test.
type Subject struct {
	// Name is the type of the sink as %T prints it, "*file.Sink": a suite that
	// runs on something else by mistake fails.
	Name string

	// Open opens the results kept in a folder, or goes on with what is there.
	// All that the sink and what it stands on keep durable must be in it: the
	// suite copies it to see what a crash leaves. The sink and its ground are
	// closed when the test ends at the latest.
	Open func(t *testing.T, home string) sink.Sink

	// Row is the row that stands for a text, as a processor would write it. The
	// text has no newline.
	Row func(text string) []byte

	// Rows are the texts of the rows that were given to the person so far, in
	// the order of the medium.
	Rows func(t *testing.T, home string) []string

	// Follow looks on at the results kept in a folder; nil where nobody can.
	Follow func(t *testing.T, home string) sink.Follower

	// AtLeastOnce is a sink that promises that the rows of committed attempts are
	// there, and no more: rows of others may be, too.
	AtLeastOnce bool

	// SmallUnits is how many units the test with many small ones has; a
	// twentieth as many lose.
	SmallUnits int
}

// Run runs the suite.
func Run(t *testing.T, s Subject) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *bench)
	}{
		{"the sink is the one named", named},
		{"of a leaf the first commit wins", leafFirstWins},
		{"of a node with children the plan decides", planDecides},
		{"a leaf and a plan of one node are kept apart", leafAndPlan},
		{"what is not committed is not there", losersAbsent},
		{"units without rows", emptyUnits},
		{"rows keep their order within a unit", orderWithinUnit},
		{"units written by many goroutines", manyWriters},
		{"other streams are read back as written", streamsReadBack},
		{"other streams are read in the order of bytes", streamsReadInOrder},
		{"other streams can be followed while the run goes on", followed},
		{"after a crash the run goes on", crash},
		{"Finish may be repeated", finishRepeated},
		{"Finish after more units were committed", finishAgainWithMore},
		{"Finish that fails may be repeated", finishFails},
		{"many small units give few files", manySmall},
		{"a part is committed or aborted once", once},
		{"a closed sink takes nothing", closed},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &bench{t: t, subject: s, home: filepath.Join(t.TempDir(), "home")}
			require.NoError(t, os.Mkdir(b.home, 0o700))
			c.test(t, b)
		})
	}
}

// bench is what a test works on.
type bench struct {
	t       *testing.T
	subject Subject
	home    string
}

func (b *bench) open() sink.Sink { return b.subject.Open(b.t, b.home) }

// crash goes on in a copy of the home as it is now, as if the process had been
// killed.
func (b *bench) crash() {
	next := b.home + "+"
	require.NoError(b.t, Copy(next, b.home))
	b.home = next
}

// Copy copies a folder with all that is in it.
func Copy(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Mkdir(filepath.Join(to, rel), 0o700)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o600)
	})
}

// unit is a node of the test by its number.
func unit(n int) schema.PID {
	return schema.PIDOf("run", schema.Place{Parent: schema.PID{1}, Slot: n})
}

// begin opens an attempt on a unit and writes texts as rows, one a block.
func (b *bench) begin(t require.TestingT, s sink.Sink, n int, attempt uint64, texts ...string) sink.Part {
	p, err := s.Open(context.Background(), sink.Attempt{Run: "run", PID: unit(n), ID: attempt})
	require.NoError(t, err)
	b.write(t, p, texts...)
	return p
}

func (b *bench) write(t require.TestingT, p sink.Part, texts ...string) {
	for _, text := range texts {
		write(t, p, sink.Rows, b.subject.Row(text), 1)
	}
}

func write(t require.TestingT, p sink.Part, stream string, block []byte, rows int) {
	require.NoError(t, p.Write(context.Background(), stream, block, rows))
}

// block is several rows.
func (b *bench) block(texts []string) (block []byte) {
	for _, text := range texts {
		block = append(block, b.subject.Row(text)...)
	}
	return block
}

func commit(t require.TestingT, p sink.Part, leaf bool, own schema.Account) schema.Account {
	got, err := p.Commit(context.Background(), leaf, own)
	require.NoError(t, err)
	return got
}

func account(objects int) schema.Account {
	return schema.Account{Nodes: 1, Objects: int64(objects), Bytes: int64(objects) << 40, Failures: -int64(objects), Reduces: int64(objects) + 2}
}

func leaf(n int) sink.Committed { return sink.Committed{PID: unit(n), Leaf: true} }

func plan(n int, attempt uint64) sink.Committed {
	return sink.Committed{PID: unit(n), Attempt: attempt}
}

func each(units []sink.Committed) iter.Seq2[sink.Committed, error] {
	return func(yield func(sink.Committed, error) bool) {
		for _, u := range units {
			if !yield(u, nil) {
				return
			}
		}
	}
}

func finish(t require.TestingT, s sink.Sink, units ...sink.Committed) sink.Summary {
	sum, err := s.Finish(context.Background(), each(units))
	require.NoError(t, err)
	return sum
}

// expect checks the rows that were given out against those of committed units.
func (b *bench) expect(sum sink.Summary, want ...string) {
	b.t.Helper()
	got := b.subject.Rows(b.t, b.home)
	if b.subject.AtLeastOnce {
		there := make(map[string]bool, len(got))
		for _, row := range got {
			there[row] = true
		}
		for _, row := range want {
			assert.True(b.t, there[row], "row %q is not there", row)
		}
		return
	}
	assert.EqualValues(b.t, len(want), sum.Rows, "rows in the summary")
	slices.Sort(got)
	same(b.t, slices.Sorted(slices.Values(want)), got)
}

// same compares long lists; testify would print them.
func same(t *testing.T, want, got []string) {
	t.Helper()
	if !slices.Equal(want, got) {
		assert.Fail(t, "rows differ", "%d wanted, %d there; %s", len(want), len(got), firstDifference(want, got))
	}
}

func firstDifference(want, got []string) string {
	for i := range min(len(want), len(got)) {
		if want[i] != got[i] {
			return fmt.Sprintf("in order, the first that differs: want %q, got %q", want[i], got[i])
		}
	}
	longer := want
	if len(got) > len(want) {
		longer = got
	}
	return fmt.Sprintf("then %q", longer[min(len(want), len(got))])
}

// prefixes is the blocks of that stream.
func prefixes(t require.TestingT, s sink.Sink) (blocks []string) {
	for block, err := range s.Read(context.Background(), sink.Prefixes) {
		require.NoError(t, err)
		blocks = append(blocks, string(block))
	}
	return blocks
}

// of is the rows of a unit in the order given.
func of(rows []string, prefix string) (own []string) {
	for _, row := range rows {
		if strings.HasPrefix(row, prefix) {
			own = append(own, row)
		}
	}
	return own
}

package house

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const rooms = "docs/architecture.md"

// drawn is a row of the table of rooms: which they are, and what is said of whom they know.
type drawn struct {
	rooms []string
	knows string
}

var (
	roomRow  = regexp.MustCompile("(?m)^\\| (`[^|]+`) \\| [^|]+ \\| ([^|]+) \\|$")
	roomName = regexp.MustCompile("`([a-z0-9/]+)`")
	// contracts may be known by each room that knows any other.
	contracts = []string{"queue", "ledger", "processor", "sink", "schema"}
)

func namesIn(text string) (names []string) {
	for _, m := range roomName.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

// TestRoomsAreAsDrawn holds the table of rooms to the imports there are.
func TestRoomsAreAsDrawn(t *testing.T) {
	problems, err := wrongRooms(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
}

// wrongRooms asks of each room for a row, of each row for rooms, and that it says whom they
// know. Of rooms below a room nothing need be said; "all" knows all, and so does what knows
// the engine.
func wrongRooms(tree fs.FS) (problems []string, err error) {
	text, err := fs.ReadFile(tree, rooms)
	if err != nil {
		return nil, err
	}
	imports, inTests, err := importsOf(tree)
	if err != nil {
		return nil, err
	}
	var all []drawn
	row := map[string]drawn{}
	for _, m := range roomRow.FindAllSubmatch(text, -1) {
		d := drawn{namesIn(string(m[1])), string(m[2])}
		all = append(all, d)
		for _, r := range d.rooms {
			row[r] = d
		}
	}
	if len(all) == 0 {
		return []string{rooms + " has no table of rooms"}, nil
	}
	for _, room := range slices.Sorted(maps.Keys(imports)) {
		d, is := rowOf(row, room)
		if !is {
			problems = append(problems, fmt.Sprintf("%s: room %s has no row", rooms, room))
			continue
		}
		for _, other := range imports[room] {
			if !d.mayKnow(other) {
				problems = append(problems, fmt.Sprintf("%s: %s knows %s, and its row says %q", rooms, room, other, d.knows))
			}
		}
	}
	for _, d := range all {
		for _, other := range namesIn(d.knows) {
			known := func(room string) bool {
				return slices.ContainsFunc(slices.Concat(imports[room], inTests[room]), func(i string) bool { return isIn(i, other) })
			}
			if !slices.ContainsFunc(slices.Collect(maps.Keys(imports)), func(room string) bool {
				return slices.ContainsFunc(d.rooms, func(r string) bool { return isIn(room, r) }) && known(room)
			}) {
				problems = append(problems, fmt.Sprintf("%s: %s does not know %s", rooms, strings.Join(d.rooms, ", "), other))
			}
		}
	}
	return problems, nil
}

// rowOf is the row of a room, or of the nearest above it.
func rowOf(row map[string]drawn, room string) (drawn, bool) {
	for ; room != "."; room = path.Dir(room) {
		if d, is := row[room]; is {
			return d, true
		}
	}
	return drawn{}, false
}

func isIn(room, of string) bool { return room == of || strings.HasPrefix(room, of+"/") }

// mayKnow reports whether the row lets its rooms know another.
func (d drawn) mayKnow(other string) bool {
	if d.knows == "all" || strings.Contains(d.knows, "the engine") {
		return true
	}
	if slices.ContainsFunc(d.rooms, func(r string) bool { return isIn(other, r) || isIn(r, other) }) {
		return true
	}
	if slices.Contains(contracts, other) {
		return d.knows != "nobody"
	}
	return slices.Contains(namesIn(d.knows), other)
}

// importsOf are the rooms of this module that each room imports, and those that only its
// tests do.
func importsOf(tree fs.FS) (own, inTests map[string][]string, err error) {
	own, inTests = map[string][]string{}, map[string][]string{}
	err = eachFile(tree, ".go", func(name string, data []byte) error {
		room := path.Dir(name)
		if strings.HasPrefix(room, "bench/fleet/peers") { // a module of its own, of others' code
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, data, parser.ImportsOnly)
		if err != nil {
			return err
		}
		into := own
		if strings.HasSuffix(name, "_test.go") {
			into = inTests
		}
		own[room] = append(own[room], []string{}...)
		for _, i := range file.Imports {
			if other, is := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), module+"/"); is && !slices.Contains(into[room], other) {
				into[room] = append(into[room], other)
			}
		}
		return nil
	})
	return own, inTests, err
}

func TestRoomsThatAreNotAsDrawn(t *testing.T) {
	table := "| room | what it is | knows |\n|---|---|---|\n| `a` | one | nobody |\n| `b`, `c` | two | `a`, a seam |\n"
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	imports := func(pkg string, others ...string) *fstest.MapFile {
		text := "package " + pkg + "\n"
		for _, o := range others {
			text += "import _ \"" + module + "/" + o + "\"\n"
		}
		return file(text)
	}
	for name, c := range map[string]struct {
		tree fstest.MapFS
		want string
	}{
		"as drawn":     {fstest.MapFS{"a/a.go": imports("a"), "b/b.go": imports("b", "a", "queue"), "c/x/x.go": imports("x", "c")}, ""},
		"a room more":  {fstest.MapFS{"a/a.go": imports("a"), "b/b.go": imports("b", "a"), "d/d.go": imports("d")}, "room d has no row"},
		"knows one":    {fstest.MapFS{"a/a.go": imports("a", "b"), "b/b.go": imports("b", "a")}, `a knows b, and its row says "nobody"`},
		"knows a seam": {fstest.MapFS{"a/a.go": imports("a", "queue"), "b/b.go": imports("b", "a")}, `a knows queue, and its row says "nobody"`},
		"knows none":   {fstest.MapFS{"a/a.go": imports("a"), "b/b.go": imports("b"), "c/c.go": imports("c", "sink")}, "b, c does not know a"},
	} {
		t.Run(name, func(t *testing.T) {
			c.tree[rooms] = file(table)
			problems, err := wrongRooms(c.tree)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(problems, "\n"); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
				t.Errorf("problems %q, want %q", got, c.want)
			}
		})
	}
}

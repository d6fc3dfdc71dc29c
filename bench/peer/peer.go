// Package peer knows the tools that listing is compared with: how each is asked
// for every key of a bucket, as fast as it can, and how its output is read.
package peer

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Bucket is the name of the bucket that is listed.
const Bucket = "bench"

// Tool is a program with certain settings.
type Tool struct {
	Name  string // program, or program-settings
	About string // for the reader of a table

	args   func(endpoint string) []string
	prefix string // of each line, before the key
}

// tools have their best settings under the program's name, and beside it others
// that show it: docs/benchmarks.md says how they were found.
var tools = func() map[string]Tool {
	all := map[string]Tool{}
	add := func(name, about, prefix string, args func(string) []string) {
		all[name] = Tool{Name: name, About: about, prefix: prefix, args: args}
	}
	add("s3ls", "s3ls-rs 1.3.5, 64 listings at a time, depth 2 (its defaults)", "", s3ls("64", "2"))
	add("s3ls-depth1", "s3ls-rs 1.3.5, depth 1", "", s3ls("64", "1"))
	add("s3ls-depth3", "s3ls-rs 1.3.5, depth 3", "", s3ls("64", "3"))
	add("s3ls-256", "s3ls-rs 1.3.5, 256 listings at a time", "", s3ls("256", "2"))
	add("s5cmd", "s5cmd v2.3.0, which lists with one request in flight", "s3://"+Bucket+"/", s5cmd)
	add("rclone", "rclone v1.76.0 with --fast-list", "", rclone("--fast-list"))
	add("rclone-plain", "rclone v1.76.0 without --fast-list", "", rclone())
	add("rclone-64", "rclone v1.76.0, folder by folder, 64 checkers", "", rclone("--disable", "ListR", "--checkers", "64"))
	add("rclone-256", "rclone v1.76.0, folder by folder, 256 checkers", "", rclone("--disable", "ListR", "--checkers", "256"))
	return all
}()

// fails are the lists that a program gets wrong, by its name.
var fails = map[string]map[string]bool{
	// It does not ask for encoding-type=url, and no XML can carry U+0001.
	"s5cmd": {"awkward": true},
	// It shows keys as names of files could be, and leaves out those that end in
	// a slash: 59,551 lines of 75,537.
	"rclone": {"awkward": true},
}

// Find returns a tool by its name.
func Find(name string) (Tool, error) {
	t, ok := tools[name]
	if !ok {
		return Tool{}, fmt.Errorf("find peer %q: want one of %s", name, strings.Join(slices.Sorted(maps.Keys(tools)), ", "))
	}
	return t, nil
}

// Binary is the file name of the program, as `make peers` leaves it.
func (t *Tool) Binary() string {
	program, _, _ := strings.Cut(t.Name, "-")
	return program
}

// Fails reports whether the program is known not to list the keys of a list as
// they are. It is let try all the same.
func (t *Tool) Fails(list string) bool { return fails[t.Binary()][list] }

// Args are what the program is called with to print every key of [Bucket].
func (t *Tool) Args(endpoint string) []string { return t.args(endpoint) }

// Key returns the key, or part of one that holds line feeds, on a line of the
// output.
func (t *Tool) Key(line []byte) ([]byte, error) {
	key, ok := bytes.CutPrefix(line, []byte(t.prefix))
	if !ok {
		return nil, fmt.Errorf("read line %q of %s: it does not begin with %s", line, t.Name, t.prefix)
	}
	return key, nil
}

func s3ls(listings, depth string) func(string) []string {
	return func(endpoint string) []string {
		return []string{
			"--recursive", "--no-sort", "-1", "--raw-output",
			"--max-parallel-listings", listings, "--max-parallel-listing-max-depth", depth,
			"--target-endpoint-url", endpoint, "--target-force-path-style", "s3://" + Bucket + "/",
		}
	}
}

func s5cmd(endpoint string) []string {
	return []string{"--endpoint-url", endpoint, "ls", "--show-fullpath", "s3://" + Bucket + "/*"}
}

func rclone(more ...string) func(string) []string {
	return func(endpoint string) []string {
		remote := `:s3,provider=Other,env_auth,force_path_style=true,list_version=2,list_url_encode=true,endpoint="` + endpoint + `":` + Bucket
		return append([]string{"lsf", "-R", "--files-only", "--config", ""}, append(more, remote)...)
	}
}

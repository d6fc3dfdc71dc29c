package keys

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// recorded are digests that hold over processes: lists that change silently
// would make figures of different days incomparable.
var recorded = map[string]struct {
	count int
	sum   uint64
}{
	"hex":     {500_000, 0xcffb397aa1fd0242},
	"words":   {500_000, 0xb2d9a7cfa3160772},
	"time":    {500_000, 0x2c81d9369a3bce97},
	"chain":   {200_299, 0xdb622f83b71ac8b8},
	"awkward": {60_000, 0xf1cd556c0e4fb784},
	"sample":  {20_000, 0xa1f74ae33966655b},
}

func TestMadeListsAreValidAndTheSameEveryTime(t *testing.T) {
	for name, want := range recorded {
		t.Run(name, func(t *testing.T) {
			l, err := Find(name, "")
			require.NoError(t, err)
			seen := map[string]bool{}
			sum := uint64(0)
			require.NoError(t, l.Each(func(key string) {
				if seen[key] || key == "" || len(key) > 1024 || !utf8.ValidString(key) {
					t.Errorf("key %q is there twice or not valid", key)
				}
				seen[key] = true
				sum += fnv(key)
			}))
			require.Len(t, seen, want.count)
			require.Equal(t, fmt.Sprintf("%#x", want.sum), fmt.Sprintf("%#x", sum))
		})
	}
}

func fnv(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

func TestKeysAreReadPlainAndPacked(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "keys.txt")
	require.NoError(t, os.WriteFile(plain, []byte("b/2\n\na\nb/1\n"), 0o600))
	sources := []string{plain}
	if _, err := exec.LookPath("xz"); err == nil {
		out, err := exec.Command("xz", "-k", plain).CombinedOutput()
		require.NoError(t, err, "%s", out)
		sources = append(sources, plain+".xz")
	}
	for _, source := range sources {
		l, err := Find("debian", source)
		require.NoError(t, err)
		var got []string
		require.NoError(t, l.Each(func(key string) { got = append(got, key) }))
		require.Equal(t, []string{"b/2", "a", "b/1"}, got)

		four, err := Find("releases", source)
		require.NoError(t, err)
		truth, err := four.Truth()
		require.NoError(t, err)
		require.Equal(t, 12, truth.Keys.Count)
	}
}

func TestWithoutAFileRealKeysAreTheSampleAndTheModuleCache(t *testing.T) {
	l, err := Find("debian", "")
	require.NoError(t, err)
	sampled, cached := 0, 0
	for key := range l.Seq(&err) {
		if strings.HasPrefix(key, "mod/") {
			cached++
			break
		}
		sampled++
	}
	require.NoError(t, err)
	require.Equal(t, 20_000, sampled)
	require.Equal(t, 1, cached)
}

func TestAnythingWrongShowsInADigest(t *testing.T) {
	digest := func(keys ...string) (d Digest) {
		for _, k := range keys {
			d.Add([]byte(k))
		}
		return d
	}
	want := digest("a", "b", "c")
	require.Equal(t, want, digest("c", "a", "b"))
	for _, wrong := range [][]string{{"a", "b"}, {"a", "b", "b"}, {"a", "b", "c", "c"}, {"a", "b", "d"}, {"a", "bc", ""}} {
		require.NotEqual(t, want, digest(wrong...), "%q", wrong)
	}
}

func TestMarksCutAListIntoPages(t *testing.T) {
	l := List{keys: func(yield func(string) bool) error {
		for i := range 2001 {
			yield(fmt.Sprintf("%04d", 2000-i))
		}
		return nil
	}}
	marks, err := l.Marks()
	require.NoError(t, err)
	require.Equal(t, []string{"0999", "1999"}, marks)
	truth, err := l.Truth()
	require.NoError(t, err)
	require.Equal(t, 3, truth.Pages())
}

func TestAKeyWithLineFeedsIsSeveralLines(t *testing.T) {
	var truth Truth
	truth.Add("a\nb\n")
	var lines Digest
	for _, s := range []string{"a", "", "b"} {
		lines.Add([]byte(s))
	}
	require.Equal(t, lines, truth.Lines)
	require.Equal(t, 1, truth.Keys.Count)
}

func TestUnknownListsAreRefusedByName(t *testing.T) {
	_, err := Find("none", "")
	require.ErrorContains(t, err, `"none"`)
	_, err = Find("debian", filepath.Join(t.TempDir(), "none"))
	require.Error(t, err)
	require.Equal(t, []string{"debian", "hex", "words", "time"}, Expand([]string{"debian", "flat"}))
	require.Equal(t, Names, Expand(nil))
}

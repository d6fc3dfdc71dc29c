package s3_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sink/s3"
)

// server is a server that we did not write, behind one that breaks what passes.
type server struct {
	*store
	mu       sync.Mutex
	meddle   func(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) // nil: serve
	requests map[string]int                                                       // by method, and what is asked for
	largest  int64                                                                // body
}

func newServer(t *testing.T) *server {
	fake := gofakes3.New(s3mem.New(), gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	s := &server{requests: map[string]int{}}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		meddle := s.meddle
		s.requests[what(r)]++
		s.largest = max(s.largest, r.ContentLength)
		s.mu.Unlock()
		if meddle != nil {
			meddle(w, r, fake.ServeHTTP)
			return
		}
		fake.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	s.store = newStore(t, front.URL)
	return s
}

// what names a request: "PUT unit", "GET rows", "POST uploads".
func what(r *http.Request) string {
	for _, name := range []string{"unit", "rows", "prefixes", "data", "manifest", "probe"} {
		if strings.Contains(r.URL.Path, "/"+name) {
			return r.Method + " " + name
		}
	}
	return r.Method
}

func (s *server) set(meddle func(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meddle = meddle
}

func (s *server) count(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[name]
}

// answer is an error as S3 words it.
func answer(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>of the test</Message></Error>", code)
}

// refuse answers some requests with an error, and serves the others.
func (s *server) refuse(which string, times, status int, code string) {
	var mu sync.Mutex
	s.set(func(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
		mu.Lock()
		now := what(r) == which && times != 0
		if now {
			times--
		}
		mu.Unlock()
		if now {
			answer(w, status, code)
			return
		}
		serve(w, r)
	})
}

func (s *server) hastily(o s3.Options) *s3.Sink {
	made, err := s3.OpenHastily(context.Background(), o)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { assert.NoError(s.t, made.Close()) })
	return made
}

var keysLayout = inventory.Keys.Layout()

func pid(n int) schema.PID { return schema.PIDOf("run", schema.Place{Slot: n}) }

func begin(t *testing.T, s *s3.Sink, n int, attempt uint64, texts ...string) sink.Part {
	p, err := s.Open(t.Context(), sink.Attempt{Run: "run", PID: pid(n), ID: attempt})
	require.NoError(t, err)
	for _, text := range texts {
		require.NoError(t, p.Write(t.Context(), sink.Rows, row(keysLayout, text), 1))
	}
	return p
}

func commitLeaf(t *testing.T, p sink.Part, objects int64) schema.Account {
	got, err := p.Commit(t.Context(), true, schema.Account{Nodes: 1, Objects: objects})
	require.NoError(t, err)
	return got
}

func leaves(units ...int) func(func(sink.Committed, error) bool) {
	return func(yield func(sink.Committed, error) bool) {
		for _, n := range units {
			if !yield(sink.Committed{PID: pid(n), Leaf: true}, nil) {
				return
			}
		}
	}
}

func finish(t *testing.T, s *s3.Sink, units ...int) sink.Summary {
	sum, err := s.Finish(t.Context(), leaves(units...))
	require.NoError(t, err)
	return sum
}

const results = "some/where/run"

// A unit without end goes up in pieces: what a task holds of it does not grow.
func TestLargeUnitGoesUpInPieces(t *testing.T) {
	s := newServer(t)
	o := s.options(keysLayout)
	o.PartSize = 20 << 20
	made := s.open(o)
	random := rand.New(rand.NewPCG(1, 2))
	p := begin(t, made, 1, 1)
	var want []string
	for range 600 {
		var block []byte
		for range 100 {
			text := fmt.Sprintf("%0900x", random.Uint64())
			want = append(want, text)
			block = append(block, row(keysLayout, text)...)
		}
		require.NoError(t, p.Write(t.Context(), sink.Rows, block, 100))
		require.NoError(t, p.Write(t.Context(), sink.Prefixes, block[:20_000], 1))
	}
	commitLeaf(t, p, 1)
	assert.LessOrEqual(t, s.largest, int64(s3.Piece+1<<20))
	assert.Greater(t, s.count("PUT rows"), 5)
	commitLeaf(t, begin(t, made, 2, 1, "small"), 1)

	sum := finish(t, made, 1, 2)
	assert.EqualValues(t, len(want)+1, sum.Rows)
	assert.Equal(t, "s3://"+s.bucket+"/"+results+"/manifest.json", sum.Location)
	assert.Equal(t, append(want, "small"), s.rows(results))
	assert.Zero(t, s.count("GET rows"), "large objects are copied inside the store")
	n := 0
	for _, err := range made.Read(t.Context(), sink.Prefixes) {
		require.NoError(t, err)
		n++
	}
	assert.Equal(t, 600, n)
	assert.Empty(t, s.uploads())
}

// uploads are those that are neither complete nor aborted.
func (s *store) uploads() (keys []string) {
	out, err := s.client.API().ListMultipartUploads(context.Background(), &awss3.ListMultipartUploadsInput{Bucket: &s.bucket})
	require.NoError(s.t, err)
	for _, u := range out.Uploads {
		keys = append(keys, *u.Key)
	}
	return keys
}

func TestAbortEndsUploads(t *testing.T) {
	s := newServer(t)
	made := s.open(s.options(keysLayout))
	p := begin(t, made, 1, 1)
	for _, stream := range []string{sink.Rows, sink.Prefixes} {
		require.NoError(t, p.Write(t.Context(), stream, bytes.Repeat([]byte("row\n"), s3.Piece/4), 1))
	}
	assert.Len(t, s.uploads(), 2)
	p.Abort()
	assert.Empty(t, s.uploads())

	failing := begin(t, made, 2, 1)
	require.NoError(t, failing.Write(t.Context(), sink.Rows, bytes.Repeat([]byte("row\n"), s3.Piece/4), 1))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := failing.Commit(ended, true, schema.Account{})
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, s.uploads())
}

func TestStoreThatOverwritesIsRefused(t *testing.T) {
	s := newServer(t)
	s.set(func(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
		r.Header.Del("If-None-Match")
		serve(w, r)
	})
	_, err := s3.Open(t.Context(), s.options(keysLayout))
	require.ErrorIs(t, err, s3.ErrUnconditional)
	require.ErrorContains(t, err, *s.cfg.BaseEndpoint)
	s.refuse("PUT probe", -1, http.StatusNotImplemented, "NotImplemented")
	_, err = s3.Open(t.Context(), s.options(keysLayout))
	require.ErrorIs(t, err, s3.ErrUnconditional)

	s.set(nil)
	s.open(s.options(keysLayout))
	before := s.count("PUT probe")
	s.open(s.options(keysLayout))
	assert.Equal(t, before, s.count("PUT probe"), "a store is asked once in a process")
}

// The store has put the record, the answer was lost, and the request that is made
// again finds it there.
func TestLostAnswerOfACommit(t *testing.T) {
	s := newServer(t)
	made := s.hastily(s.options(keysLayout))
	lost := false
	s.set(func(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
		if what(r) == "PUT unit" && !lost {
			lost = true
			serve(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		serve(w, r)
	})
	assert.EqualValues(t, 7, commitLeaf(t, begin(t, made, 1, 1, "a"), 7).Objects)
	assert.True(t, lost)
	assert.EqualValues(t, 7, commitLeaf(t, begin(t, made, 1, 2, "b"), 8).Objects)
	finish(t, made, 1)
	assert.Equal(t, []string{"a"}, s.rows(results))
}

// The store has completed an upload, the answer was lost, and the request that is
// made again finds no upload.
func TestLostAnswerOfAnUpload(t *testing.T) {
	s := newServer(t)
	made := s.hastily(s.options(keysLayout))
	p := begin(t, made, 1, 1)
	block := bytes.Repeat([]byte("row\n"), s3.Piece/4)
	require.NoError(t, p.Write(t.Context(), sink.Rows, block, s3.Piece/4))
	lost := 0
	s.set(func(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
		if what(r) == "POST rows" && lost == 0 {
			lost++
			serve(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		serve(w, r)
	})
	commitLeaf(t, p, 1)
	assert.Equal(t, 1, lost)
	assert.EqualValues(t, s3.Piece/4, finish(t, made, 1).Rows)
}

// Two conditional writes met: S3 answers neither yes nor no.
func TestConflictIsRepeated(t *testing.T) {
	s := newServer(t)
	made := s.hastily(s.options(keysLayout))
	s.refuse("PUT unit", 3, http.StatusConflict, "ConditionalRequestConflict")
	assert.EqualValues(t, 7, commitLeaf(t, begin(t, made, 1, 1, "a"), 7).Objects)
	assert.Equal(t, 4, s.count("PUT unit"))
}

func TestErrorsSayWhetherRetryingHelps(t *testing.T) {
	s := newServer(t)
	made := s.hastily(s.options(keysLayout))
	for _, c := range []struct {
		status int
		code   string
		full   bool
		says   string
	}{
		{http.StatusForbidden, "AccessDenied", true, "allow s3:PutObject on arn:aws:s3:::" + s.bucket},
		{http.StatusNotFound, "NoSuchBucket", true, "check the bucket's name"},
		{http.StatusInsufficientStorage, "XMinioStorageFull", true, "XMinioStorageFull"},
		{http.StatusServiceUnavailable, "SlowDown", false, "SlowDown"},
		{http.StatusInternalServerError, "InternalError", false, "InternalError"},
	} {
		s.refuse("PUT unit", -1, c.status, c.code)
		_, err := begin(t, made, 1, 1, "a").Commit(t.Context(), true, schema.Account{})
		require.ErrorContains(t, err, c.says)
		require.ErrorContains(t, err, "s3://"+s.bucket+"/some/where/.parts/run/unit/")
		require.NotContains(t, err.Error(), "\n")
		if c.full {
			require.ErrorIs(t, err, sink.ErrFull, c.code)
		} else {
			require.NotErrorIs(t, err, sink.ErrFull, c.code)
		}
	}
	s.set(nil)
	commitLeaf(t, begin(t, made, 1, 1, "a"), 1)
	s.refuse("GET unit", -1, http.StatusForbidden, "AccessDenied")
	_, err := made.Finish(t.Context(), leaves(1))
	require.ErrorIs(t, err, sink.ErrFull, "a record that may not be read is not one that is not there")
	require.ErrorContains(t, err, "s3:ListBucket on arn:aws:s3:::"+s.bucket)
}

// A process that dies between any two steps of Finish loses nothing.
func TestFinishAfterACrashAtEveryStep(t *testing.T) {
	for _, step := range []string{"begun", "assembled", "described"} {
		t.Run(step, func(t *testing.T) {
			s := newServer(t)
			made := s.open(s.options(keysLayout))
			for n := range 20 {
				commitLeaf(t, begin(t, made, n, 1, fmt.Sprint("row ", n)), 1)
			}
			made.StopAt(step)
			_, err := made.Finish(t.Context(), leaves(1, 2, 3))
			require.ErrorIs(t, err, s3.ErrStopped)
			assert.NotContains(t, s.keys(results), results+"/manifest.json")
			sum := finish(t, s.open(s.options(keysLayout)), 1, 2, 3)
			assert.EqualValues(t, 3, sum.Rows)
			assert.Equal(t, []string{"row 1", "row 2", "row 3"}, s.rows(results))
			assert.Len(t, s.keys(results), 3, "files of the first try are written again, under their names")
		})
	}
}

func TestFinishedTwiceAtTheSameTime(t *testing.T) {
	s := newServer(t)
	made := s.open(s.options(keysLayout))
	for n := range 20 {
		commitLeaf(t, begin(t, made, n, 1, fmt.Sprint("row ", n)), 1)
	}
	other := s.open(s.options(keysLayout))
	made.At("described", func() { finish(t, other, 1, 2, 3) })
	sum := finish(t, made, 1, 2, 3)
	assert.Equal(t, sum, finish(t, other, 3, 2, 1))
	assert.Equal(t, []string{"row 1", "row 2", "row 3"}, s.rows(results))

	// One that has not seen what a redrive has brought does not win against it.
	made.At("described", func() { finish(t, other, 1, 2, 3, 4, 5) })
	_, err := made.Finish(t.Context(), leaves(1, 2, 3, 4))
	require.ErrorContains(t, err, "another process has finished these results meanwhile")
	assert.Len(t, s.rows(results), 5)
}

// Who repeats Finish after the parts have expired must not lose what was made.
func TestFinishAfterPartsExpired(t *testing.T) {
	s := newServer(t)
	made := s.open(s.options(keysLayout))
	for n := range 5 {
		commitLeaf(t, begin(t, made, n, 1, fmt.Sprint("row ", n)), 1)
	}
	sum := finish(t, made, 1, 2, 3)
	for _, key := range s.keys("some/where/.parts/run/") {
		_, err := s.client.API().DeleteObject(t.Context(), &awss3.DeleteObjectInput{Bucket: &s.bucket, Key: &key})
		require.NoError(t, err)
	}
	assert.Equal(t, sum, finish(t, made, 1, 2, 3))
	_, err := made.Finish(t.Context(), leaves(1, 2, 3, 4))
	require.ErrorContains(t, err, "is not there any more")
	assert.Equal(t, []string{"row 1", "row 2", "row 3"}, s.rows(results))
}

func TestManifestOfSomebodyElseIsKept(t *testing.T) {
	s := newServer(t)
	made := s.open(s.options(keysLayout))
	commitLeaf(t, begin(t, made, 1, 1, "a"), 1)
	key := results + "/" + inventory.ManifestName
	_, err := s.client.API().PutObject(t.Context(), &awss3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: strings.NewReader("theirs")})
	require.NoError(t, err)
	_, err = made.Finish(t.Context(), leaves(1))
	require.ErrorContains(t, err, "is not of this run")
	assert.Equal(t, "theirs", string(s.get(key)))
}

// Two runs, and two tasks of one, share a prefix and nothing else.
func TestRunsAreKeptApart(t *testing.T) {
	s := newServer(t)
	first, other := s.options(keysLayout), s.options(keysLayout)
	other.Run = "other"
	a, b, c := s.open(first), s.open(first), s.open(other)
	commitLeaf(t, begin(t, a, 1, 1, "of a"), 1)
	assert.EqualValues(t, 1, commitLeaf(t, begin(t, b, 1, 2, "of b"), 2).Objects)
	assert.EqualValues(t, 3, commitLeaf(t, begin(t, c, 1, 3, "of c"), 3).Objects)
	finish(t, b, 1)
	finish(t, c, 1)
	assert.Equal(t, []string{"of a"}, s.rows(results))
	assert.Equal(t, []string{"of c"}, s.rows("some/where/other"))
}

func TestKeepsOtherStreamsWithoutRows(t *testing.T) {
	s := newServer(t)
	made := s.open(s.options(inventory.Layout{}))
	p, err := made.Open(t.Context(), sink.Attempt{Run: "run", PID: pid(1), ID: 1})
	require.NoError(t, err)
	require.NoError(t, p.Write(t.Context(), sink.Rows, []byte("dropped"), 1))
	require.NoError(t, p.Write(t.Context(), sink.Prefixes, []byte("kept"), 1))
	commitLeaf(t, p, 1)
	assert.Equal(t, sink.Summary{}, finish(t, made, 1))
	assert.Equal(t, sink.Summary{}, finish(t, made, 1))
	for block, err := range made.Read(t.Context(), sink.Prefixes) {
		require.NoError(t, err)
		assert.Equal(t, "kept", string(block))
	}
	assert.Empty(t, s.keys(results))
}

func TestKeep(t *testing.T) {
	s := newServer(t)
	made := s.open(s.options(keysLayout))
	_, err := made.Kept(t.Context(), "summary.json")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, made.Keep(t.Context(), "summary.json", []byte("1")))
	require.NoError(t, made.Keep(t.Context(), "summary.json", []byte("2")))
	got, err := s.open(s.options(keysLayout)).Kept(t.Context(), "summary.json")
	require.NoError(t, err)
	assert.Equal(t, "2", string(got))
	assert.Equal(t, []string{results + "/summary.json"}, s.keys(results))
}

func TestOpenRefusesWhatIsNoPlace(t *testing.T) {
	for _, url := range []string{"", "bucket", "s3://", "s3:///key", "https://bucket"} {
		_, err := s3.Open(t.Context(), s3.Options{URL: url, Run: "run"})
		require.ErrorContains(t, err, fmt.Sprintf("URL is %q, want s3://bucket", url))
	}
	_, err := s3.Open(t.Context(), s3.Options{URL: "s3://bucket", Run: "a/b"})
	require.ErrorContains(t, err, `run is "a/b"`)

	s := newServer(t)
	o := s.options(keysLayout)
	o.URL = "s3://nowhere-to-be-found"
	_, err = s3.Open(t.Context(), o)
	require.ErrorContains(t, err, "NoSuchBucket")
	require.ErrorIs(t, err, sink.ErrFull)
}

// Blocks come out in the order of their bytes, however few fit into memory.
func TestSortsOutsideOfMemory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		blocks := rapid.SliceOf(rapid.SliceOfN(rapid.Byte(), 1, 40)).Draw(t, "blocks")
		most := rapid.IntRange(1, 2000).Draw(t, "bytes in memory")
		got, runs, err := s3.Sorted(slices.Values(blocks), most)
		if err != nil {
			t.Fatal(err)
		}
		if most == 1 && runs != len(blocks) {
			t.Fatalf("%d runs of %d blocks", runs, len(blocks))
		}
		want := slices.Clone(blocks)
		slices.SortFunc(want, bytes.Compare)
		if !slices.EqualFunc(want, got, bytes.Equal) {
			t.Fatalf("want %q, got %q", want, got)
		}
	})
}

// A run of the same name, of another table or machine, does not take the records of
// the first for its own: nodes are told apart by the run's name and their place.
func TestResultsOfAnotherRunAreNotTaken(t *testing.T) {
	s := newServer(t)
	begun := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	open := func(created time.Time) (*s3.Sink, error) {
		o := s.options(keysLayout)
		o.Run, o.Created = "daily", created
		return s3.Open(t.Context(), o)
	}
	first, err := open(begun)
	require.NoError(t, err)
	late, err := open(begun.Add(time.Hour)) // nobody has begun yet
	require.NoError(t, err)
	_, err = first.Open(t.Context(), sink.Attempt{PID: schema.PID{1}, ID: 1})
	require.NoError(t, err)
	_, err = late.Open(t.Context(), sink.Attempt{PID: schema.PID{1}, ID: 2})
	require.ErrorIs(t, err, s3.ErrTaken)
	_, err = open(begun.Add(time.Hour))
	require.ErrorIs(t, err, s3.ErrTaken)
	require.ErrorContains(t, err, "/daily/ is of the one that began at 2026-01-02 03:04:05")
	again, err := open(begun.Local())
	require.NoError(t, err)
	_, err = again.Open(t.Context(), sink.Attempt{PID: schema.PID{2}, ID: 3})
	require.NoError(t, err)
}

package s3serve

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TestFaultsLookAsTheyShouldOnTheWire sends one request per fault.
func TestFaultsLookAsTheyShouldOnTheWire(t *testing.T) {
	var fault atomic.Int64
	h := New(Options{
		Buckets: map[string]*Listing{"b": listing(t, sampleKeys(t)[:1000]...)},
		Faults:  func(*http.Request) Fault { return Fault(fault.Load()) },
	})
	s := start(t, h)
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(f Fault) (status int, promised int64, body []byte, err error) {
		fault.Store(int64(f))
		r, err := c.Get(s.URL() + "/b?list-type=2")
		if err != nil {
			return 0, 0, nil, err
		}
		defer r.Body.Close()
		body, err = io.ReadAll(r.Body)
		return r.StatusCode, r.ContentLength, body, err
	}

	_, whole, _, err := ask(NoFault)
	if err != nil {
		t.Fatal(err)
	}
	for f, want := range map[Fault]int{SlowDown: 503, InternalError: 500, AccessDenied: 403} {
		if status, _, _, err := ask(f); status != want || err != nil {
			t.Errorf("%v: status %d, %v", f, status, err)
		}
	}
	if _, _, _, err := ask(Reset); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset: %v", err)
	}
	if _, promised, body, err := ask(HalfSent); promised != whole || int64(len(body)) != whole/2 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half sent: %d of %d promised, %v", len(body), promised, err)
	}
	if status, promised, body, err := ask(TruncatedXML); status != 200 || promised != whole/2 || int64(len(body)) != promised || err != nil {
		t.Errorf("truncated: status %d, %d of %d promised, %v", status, len(body), promised, err)
	}
	if got := h.Counts(); got != (Counts{List: 7, Faults: 6}) {
		t.Errorf("counted %+v", got)
	}
}

// TestWalkThroughFaultsFindsEverything retries what fails, as any client must.
func TestWalkThroughFaultsFindsEverything(t *testing.T) {
	keys := sampleKeys(t)[:2000]
	var mu sync.Mutex
	seen := map[Fault]int{}
	random := RandomFaults(1, Rates{0.1, 0.1, 0.1, 0.1, 0.1})
	h := New(Options{Buckets: map[string]*Listing{"b": listing(t, keys...)}, Faults: func(r *http.Request) Fault {
		f := random(r)
		mu.Lock()
		seen[f]++
		mu.Unlock()
		return f
	}})
	c := client(t, start(t, h).URL())
	in := s3.ListObjectsV2Input{Bucket: aws.String("b"), MaxKeys: aws.Int32(20), EncodingType: types.EncodingTypeUrl}
	var got []string
	for more := true; more; {
		p, err := c.ListObjectsV2(context.Background(), &in)
		if err != nil {
			continue // the SDK does not retry what it cannot parse
		}
		for _, o := range p.Contents {
			got = append(got, unescape(t, *o.Key))
		}
		in.ContinuationToken, more = p.NextContinuationToken, *p.IsTruncated
	}
	if !slices.Equal(got, keys) {
		t.Errorf("%d keys, want %d", len(got), len(keys))
	}
	for _, f := range []Fault{SlowDown, InternalError, Reset, HalfSent, TruncatedXML} {
		if seen[f] == 0 {
			t.Errorf("met no %v", f)
		}
	}
	if n := h.Counts(); n.Faults != n.List-int64(seen[NoFault]) || n.List != n.Faults+100 {
		t.Errorf("counted %+v, seen %v", n, seen)
	}
}

func TestRandomFaultsDoNotDependOnTheOrderOfRequests(t *testing.T) {
	rates := Rates{SlowDown: 0.3, Reset: 0.2}
	draw := func(seed uint64, order []int) (faults [400]Fault, n int) {
		f := RandomFaults(seed, rates)
		for _, i := range order {
			faults[i] = f(httptest.NewRequest(http.MethodGet, "/b?start-after="+itoa(i%200), nil))
			if faults[i] != NoFault {
				n++
			}
		}
		return faults, n
	}
	var forward, other []int
	for i := range 400 {
		forward = append(forward, i)
		other = append(other, i/200*200+(i*7)%200) // the second asking still after the first
	}
	a, n := draw(1, forward)
	if b, _ := draw(1, other); a != b {
		t.Error("another order met other faults")
	}
	if c, _ := draw(2, forward); a == c {
		t.Error("another seed met the same faults")
	}
	if n < 150 || n > 250 {
		t.Errorf("%d faults in 400 requests at a rate of a half", n)
	}
}

func TestLatencyIsExactAndEndsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(Options{Buckets: map[string]*Listing{"b": listing(t, "k")}, Latency: 30 * time.Millisecond})
		begun := time.Now()
		if w := call(h, http.MethodHead, "/b/k"); w.Code != http.StatusOK || time.Since(begun) != 30*time.Millisecond {
			t.Errorf("status %d after %v", w.Code, time.Since(begun))
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		begun = time.Now()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/b/k", nil).WithContext(ctx))
		if time.Since(begun) != 10*time.Millisecond {
			t.Errorf("waited %v for a client that had gone", time.Since(begun))
		}
	})
}

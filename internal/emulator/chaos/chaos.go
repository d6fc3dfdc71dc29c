// Package chaos is a proxy that treats requests to SQS and DynamoDB as badly as a
// network and the services themselves may, so that a test can say that nothing is
// lost and nothing counted twice: answers get lost after the server has acted,
// requests come late, out of order and twice, and messages are delivered again.
package chaos

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Faults says how often what goes wrong: each is a chance from 0 to 1.
type Faults struct {
	Lost   float64 // the server acts, and the connection is closed without an answer
	Late   float64 // a request waits for up to Delay before it goes on, and so comes out of order
	Delay  time.Duration
	Stuck  float64 // a request waits for Stall
	Stall  time.Duration
	Twice  float64 // a request other than ReceiveMessage is made twice, the second up to Delay later
	Copied float64 // a message that was delivered before is delivered again, for each that is free in an answer
	Held   float64 // a message stays back for a later answer
}

// Harsh is far worse than a day on which AWS says "increased error rates".
var Harsh = Faults{
	Lost: .05, Late: .3, Delay: 30 * time.Millisecond, Stuck: .003, Stall: time.Second,
	Twice: .05, Copied: .2, Held: .05,
}

// Done is what went wrong so far. Lost and Twice are counted by operation
// ("SendMessageBatch", "PutItem").
type Done struct {
	Requests, Late, Stuck, Copied, Held int
	Lost, Twice                         map[string]int
}

// Proxy stands between a client and a server.
type Proxy struct {
	URL string

	faults Faults
	target *url.URL
	server http.RoundTripper
	twins  sync.WaitGroup // requests made twice that are under way
	closed chan struct{}

	mu     sync.Mutex
	rand   *rand.Rand
	done   Done
	queues map[string]*deliveries // by URL
}

// New starts a proxy in front of the server at target, until the test ends. The
// seed gives the same faults to the same requests in the same order, and the same
// mix of them to any.
func New(t testing.TB, target string, seed uint64, f Faults) *Proxy {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	p := &Proxy{
		faults: f, target: u, server: transport, closed: make(chan struct{}),
		rand: rand.New(rand.NewPCG(seed, 2)),
		done: Done{Lost: map[string]int{}, Twice: map[string]int{}}, queues: map[string]*deliveries{},
	}
	server := httptest.NewServer(p)
	t.Cleanup(func() {
		close(p.closed)
		server.CloseClientConnections()
		server.Close()
		p.twins.Wait()
		transport.CloseIdleConnections()
	})
	p.URL = server.URL
	return p
}

// Done is what went wrong so far.
func (p *Proxy) Done() Done {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.done
	d.Lost, d.Twice = maps.Clone(d.Lost), maps.Clone(d.Twice)
	return d
}

// fate is what is to happen to one request.
type fate struct {
	wait, twin  time.Duration
	lost, twice bool
}

func (p *Proxy) fate(operation string) (f fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done.Requests++
	switch {
	case p.chance(p.faults.Stuck):
		p.done.Stuck++
		f.wait = p.faults.Stall
	case p.chance(p.faults.Late):
		p.done.Late++
		f.wait = p.upTo(p.faults.Delay)
	}
	// A receive that is made twice is one whose answer gets lost.
	if operation != receive && p.chance(p.faults.Twice) {
		p.done.Twice[operation]++
		f.twice, f.twin = true, p.upTo(p.faults.Delay)
	}
	f.lost = p.chance(p.faults.Lost)
	return f
}

// chance and upTo are called with the lock held.
func (p *Proxy) chance(of float64) bool { return p.rand.Float64() < of }

func (p *Proxy) upTo(d time.Duration) time.Duration {
	return time.Duration(p.rand.Int64N(int64(d) + 1))
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client has gone
	}
	operation := r.Header.Get("X-Amz-Target")
	operation = operation[strings.LastIndexByte(operation, '.')+1:]
	// A client that has gone does not call back its request, but a long poll must end.
	ctx := context.WithoutCancel(r.Context())
	if operation == receive {
		ctx = r.Context()
	}
	f := p.fate(operation)
	p.wait(f.wait)
	if f.twice {
		twin := r.Clone(ctx)
		p.twins.Go(func() {
			p.wait(f.twin)
			_, _ = p.forward(ctx, twin, body) // nobody waits for the answer
		})
	}
	a, err := p.forward(ctx, r, body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if operation == receive && a.status == http.StatusOK {
		a.text = p.deliver(body, a.text)
	}
	if f.lost {
		p.mu.Lock()
		p.done.Lost[operation]++
		p.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.text)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.text) // the client may have gone
}

// wait waits, unless the test ends.
func (p *Proxy) wait(d time.Duration) {
	if d == 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.closed:
	}
}

// answer is what the server said.
type answer struct {
	status int
	header http.Header
	text   []byte
}

// forward makes the request of the server and reads its answer.
func (p *Proxy) forward(ctx context.Context, r *http.Request, body []byte) (answer, error) {
	to := *r.URL
	to.Scheme, to.Host = p.target.Scheme, p.target.Host
	out, err := http.NewRequestWithContext(ctx, r.Method, to.String(), bytes.NewReader(body))
	if err != nil {
		return answer{}, fmt.Errorf("forward %s: %w", r.URL.Path, err)
	}
	out.Header = r.Header.Clone()
	out.Header.Del("Connection")
	resp, err := p.server.RoundTrip(out)
	if err != nil {
		return answer{}, fmt.Errorf("forward %s: %w", r.URL.Path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, fmt.Errorf("forward %s: %w", r.URL.Path, err)
	}
	return answer{resp.StatusCode, resp.Header, text}, nil
}

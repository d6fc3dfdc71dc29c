package s3serve

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
)

// Fault is one way for a request to fail.
type Fault int

// The faults. Those that need a body to spoil reset the connection where there
// is none, as on HEAD.
const (
	// NoFault lets the request be answered.
	NoFault Fault = iota
	// SlowDown answers 503 SlowDown, as S3 does to too many requests.
	SlowDown
	// InternalError answers 500 InternalError.
	InternalError
	// AccessDenied answers 403 AccessDenied.
	AccessDenied
	// Reset closes the connection with a TCP reset, and no answer.
	Reset
	// HalfSent promises the whole answer, sends half and closes the connection.
	HalfSent
	// TruncatedXML sends half a listing as if it were the whole. Object content
	// is HalfSent instead, since no client could tell.
	TruncatedXML
)

// String names the fault.
func (f Fault) String() string {
	names := [...]string{"no fault", "slow down", "internal error", "access denied", "reset", "half sent", "truncated XML"}
	if f < 0 || int(f) >= len(names) {
		return fmt.Sprintf("fault %d", int(f))
	}
	return names[f]
}

// inject answers the request with the fault, or returns what it must be
// answered on for the fault to happen.
func (f Fault) inject(w http.ResponseWriter, r *request) http.ResponseWriter {
	if r.Method == http.MethodHead && (f == HalfSent || f == TruncatedXML) {
		f = Reset
	}
	switch f {
	case SlowDown:
		writeError(w, errSlowDown)
	case InternalError:
		writeError(w, errInternal)
	case AccessDenied:
		writeError(w, errAccessDenied)
	case Reset:
		reset(w)
	case HalfSent, TruncatedXML:
		return &cutWriter{ResponseWriter: w, breaks: f == HalfSent || r.op == opGet}
	default:
		return w
	}
	return nil
}

// reset closes the connection so that the peer sees a reset, not an end. Where
// there is no connection to take over, aborting is the nearest thing.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// cutWriter lets half of the body through, and then breaks the connection or
// says that this was all.
type cutWriter struct {
	http.ResponseWriter
	breaks bool
	begun  bool
	left   int
}

// WriteHeader works out where half the body ends.
func (w *cutWriter) WriteHeader(status int) {
	h := w.Header()
	w.begun, w.left = true, contentLength(h)/2
	if w.breaks && w.left == 0 {
		panic(http.ErrAbortHandler) // too short to halve
	}
	if !w.breaks {
		h.Set("Content-Length", strconv.Itoa(w.left))
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sends what lies in the first half.
func (w *cutWriter) Write(b []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	n := min(len(b), w.left)
	w.left -= n
	if _, err := w.ResponseWriter.Write(b[:n]); err != nil {
		return 0, err
	}
	if w.left == 0 && w.breaks {
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return len(b), nil
}

// contentLength is what the header says, or 0.
func contentLength(h http.Header) int {
	n, _ := strconv.Atoi(h.Get("Content-Length"))
	return n
}

// Rates are the shares of requests, from 0 to 1, that meet each fault.
type Rates struct {
	SlowDown, InternalError, Reset, HalfSent, TruncatedXML float64
}

// RandomFaults returns a source of faults for [Options]. What a request meets
// depends on the seed, the request's address and how often that address was
// asked for before, and on nothing else: a walk meets the same faults whatever
// the order in which its requests arrive, and a retry draws anew.
func RandomFaults(seed uint64, rates Rates) func(*http.Request) Fault {
	var mu sync.Mutex
	asked := map[uint64]uint64{}
	shares := []struct {
		fault Fault
		share float64
	}{
		{SlowDown, rates.SlowDown},
		{InternalError, rates.InternalError},
		{Reset, rates.Reset},
		{HalfSent, rates.HalfSent},
		{TruncatedXML, rates.TruncatedXML},
	}
	return func(r *http.Request) Fault {
		address := hashKey(r.Method + " " + r.URL.RequestURI())
		mu.Lock()
		asked[address]++
		n := asked[address]
		mu.Unlock()
		draw := float64(mix(mix(seed+1)^mix(address+n))>>11) / (1 << 53)
		for _, s := range shares {
			if draw < s.share {
				return s.fault
			}
			draw -= s.share
		}
		return NoFault
	}
}

package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ramify/ramify/bench/figures"
)

// control is below a name that no bucket can have.
const control = "/-/"

// meter counts and delays the requests of any S3 handler.
type meter struct {
	next     http.Handler
	depot    *depot // nil: nothing can be copied
	latency  atomic.Int64
	lists    atomic.Int64
	others   atomic.Int64
	inFlight atomic.Int64
	peak     atomic.Int64
	cpu      atomic.Int64 // at the last reset
}

func newMeter(next http.Handler) *meter { return &meter{next: next} }

// ServeHTTP answers after the latency. A client that goes away meanwhile is
// still counted: it has asked.
func (m *meter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if what, ok := strings.CutPrefix(r.URL.Path, control); ok {
		m.control(w, r, what)
		return
	}
	if isList(r) {
		m.lists.Add(1)
	} else {
		m.others.Add(1)
	}
	n := m.inFlight.Add(1)
	defer m.inFlight.Add(-1)
	for peak := m.peak.Load(); n > peak && !m.peak.CompareAndSwap(peak, n); peak = m.peak.Load() {
	}
	if d := m.latency.Load(); d > 0 {
		time.Sleep(time.Duration(d))
	}
	m.next.ServeHTTP(w, r)
}

// isList tells a listing, of either version, from other questions about a bucket.
func isList(r *http.Request) bool {
	if r.Method != http.MethodGet || strings.Contains(strings.Trim(r.URL.Path, "/"), "/") || r.URL.Path == "/" {
		return false
	}
	q := r.URL.Query()
	for _, other := range []string{"location", "versioning", "versions", "acl", "policy", "uploads", "object-lock"} {
		if q.Has(other) {
			return false
		}
	}
	return true
}

// control answers "counts" and, having set everything to nothing and the
// latency to what is asked for, "reset?latency=30ms".
func (m *meter) control(w http.ResponseWriter, r *http.Request, what string) {
	switch what {
	case "counts":
	case "reset":
		d, err := time.ParseDuration(r.URL.Query().Get("latency"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		m.latency.Store(int64(d))
		m.lists.Store(0)
		m.others.Store(0)
		m.peak.Store(0)
		m.cpu.Store(int64(usedCPU()))
		if m.depot != nil && r.URL.Query().Get("keep") == "" {
			m.depot.empty()
		}
	default:
		http.NotFound(w, r)
		return
	}
	var copies int64
	if m.depot != nil {
		copies = m.depot.count()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(figures.Counts{ // who asked may have gone away
		Lists: m.lists.Load(), Others: m.others.Load(), Peak: m.peak.Load(), Copies: copies,
		CPU: usedCPU() - time.Duration(m.cpu.Load()),
	})
}

func usedCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

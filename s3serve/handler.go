package s3serve

import (
	"context"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultRegion is where buckets are when [Options] does not say.
const DefaultRegion = "us-east-1"

const requestIDHeader = "X-Amz-Request-Id"

// Options says what a [Handler] serves, and how badly.
type Options struct {
	// Buckets are served by name.
	Buckets map[string]*Listing
	// Region is [DefaultRegion] where empty.
	Region string
	// Latency is how long every request waits before it is looked at.
	Latency time.Duration
	// Faults, where set, is asked once per request, and by several requests at
	// a time, what shall go wrong with it. See [RandomFaults].
	Faults func(*http.Request) Fault
}

// Handler answers S3 requests. Buckets are addressed by path, or by host where
// the host is BUCKET.localhost or BUCKET.s3 and whatever follows.
type Handler struct {
	opts    Options
	buffers sync.Pool
	counts  [opCount]atomic.Int64
	faults  atomic.Int64
	serial  atomic.Uint64
}

// New returns a handler.
func New(o Options) *Handler {
	o.Buckets = maps.Clone(o.Buckets)
	if o.Region == "" {
		o.Region = DefaultRegion
	}
	return &Handler{opts: o, buffers: sync.Pool{New: func() any { return new([]byte) }}}
}

// Counts says how many requests of each kind have come in.
type Counts struct {
	List   int64 // ListObjectsV2 and ListObjectVersions
	Get    int64 // GetObject
	Head   int64 // HeadObject and HeadBucket
	Other  int64
	Faults int64 // how many of all these were answered with a fault
}

// Counts returns what has been counted so far; it may be read at any time.
func (h *Handler) Counts() Counts {
	return Counts{
		List:   h.counts[opList].Load() + h.counts[opVersions].Load(),
		Get:    h.counts[opGet].Load(),
		Head:   h.counts[opHead].Load(),
		Other:  h.counts[opOther].Load(),
		Faults: h.faults.Load(),
	}
}

type op int

const (
	opOther op = iota
	opList
	opVersions
	opGet
	opHead
	opCount
)

// request is an HTTP request with what S3 reads from it.
type request struct {
	*http.Request
	bucket, key string
	query       url.Values
	op          op
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	r := h.parse(hr)
	h.counts[r.op].Add(1)
	w.Header().Set(requestIDHeader, strconv.FormatUint(h.serial.Add(1), 16))
	if !wait(hr.Context(), h.opts.Latency) {
		writeError(w, errTimeout)
		return
	}
	if h.opts.Faults != nil {
		if f := h.opts.Faults(hr); f != NoFault {
			h.faults.Add(1)
			if w = f.inject(w, r); w == nil {
				return
			}
		}
	}
	h.serve(w, r)
}

func (h *Handler) parse(hr *http.Request) *request {
	r := &request{Request: hr, query: hr.URL.Query()}
	path := strings.TrimPrefix(hr.URL.Path, "/")
	if b := h.hostBucket(hr.Host); b != "" {
		r.bucket, r.key = b, path
	} else {
		r.bucket, r.key, _ = strings.Cut(path, "/")
	}
	switch {
	case r.bucket == "":
	case hr.Method == http.MethodHead:
		r.op = opHead
	case hr.Method != http.MethodGet:
	case r.key != "":
		r.op = opGet
	case r.query.Get("list-type") == "2":
		r.op = opList
	case r.query.Has("versions"):
		r.op = opVersions
	}
	return r
}

// hostBucket returns the bucket that the host names, if any. Only hosts of the
// forms that [Handler] names count, or a bucket called "127" would take every
// request to 127.0.0.1.
func (h *Handler) hostBucket(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	longest := ""
	for b := range h.opts.Buckets {
		rest, ok := strings.CutPrefix(host, b+".")
		if ok && (rest == "localhost" || rest == "s3" || strings.HasPrefix(rest, "s3.")) && len(b) > len(longest) {
			longest = b
		}
	}
	return longest
}

// wait returns true after d, or false as soon as ctx is done.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (h *Handler) serve(w http.ResponseWriter, r *request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPut, http.MethodPost, http.MethodDelete:
		writeError(w, errAccessDenied)
		return
	default:
		writeError(w, errMethodNotAllowed)
		return
	}
	if r.bucket == "" {
		h.serveBuckets(w)
		return
	}
	l := h.opts.Buckets[r.bucket]
	if l == nil {
		writeError(w, noSuchBucket(r.bucket))
		return
	}
	s := l.now.Load()
	switch {
	case r.key != "":
		s.serveObject(w, r)
	case r.op == opHead:
		w.Header().Set("X-Amz-Bucket-Region", h.opts.Region)
		w.WriteHeader(http.StatusOK)
	case r.op == opList:
		h.servePage(w, r, s)
	case r.op == opVersions:
		h.serveVersions(w, r, s)
	case r.query.Has("location"):
		h.serveLocation(w)
	default:
		writeError(w, errNotImplemented)
	}
}

// servePage answers ListObjectsV2.
func (h *Handler) servePage(w http.ResponseWriter, r *request, s *snapshot) {
	q, err := parseListQuery(r.query)
	if err != nil {
		writeError(w, err)
		return
	}
	p := s.list(&q)
	buf := h.buffers.Get().(*[]byte)
	defer h.buffers.Put(buf)
	*buf = appendPage((*buf)[:0], s, r.bucket, &q, &p)
	writeXML(w, http.StatusOK, *buf)
}

func (h *Handler) serveBuckets(w http.ResponseWriter) {
	b := append([]byte(nil), xmlHeader+"<ListAllMyBucketsResult"+xmlns+"><Owner><ID>s3serve</ID></Owner><Buckets>"...)
	for _, name := range slices.Sorted(maps.Keys(h.opts.Buckets)) {
		b = appendText(append(b, "<Bucket><Name>"...), name)
		b = appendTime(append(b, "</Name><CreationDate>"...), derivedSince)
		b = append(b, "</CreationDate></Bucket>"...)
	}
	writeXML(w, http.StatusOK, append(b, "</Buckets></ListAllMyBucketsResult>"...))
}

// serveLocation answers GetBucketLocation, which leaves us-east-1 unsaid.
func (h *Handler) serveLocation(w http.ResponseWriter) {
	region := h.opts.Region
	if region == DefaultRegion {
		region = ""
	}
	b := append([]byte(nil), xmlHeader+"<LocationConstraint"+xmlns+">"...)
	b = append(appendText(b, region), "</LocationConstraint>"...)
	writeXML(w, http.StatusOK, b)
}

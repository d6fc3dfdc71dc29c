package s3serve

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// discard is a response that goes nowhere.
type discard struct{ h http.Header }

func (d discard) Header() http.Header       { return d.h }
func (discard) WriteHeader(int)             {}
func (discard) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkList measures pages a second: answered by the handler alone, and
// over a real connection with the client's reading on the same cores.
func BenchmarkServe(b *testing.B) {
	l, err := Keys(strings.NewReader(strings.Join(sampleKeys(b), "\n")))
	if err != nil {
		b.Fatal(err)
	}
	h := New(Options{Buckets: map[string]*Listing{"b": l}})
	s := start(b, h)
	buf := make([]byte, 1<<19)
	for name, query := range map[string]string{
		"flat":      "/b?list-type=2&encoding-type=url&start-after=usr/share/doc/",
		"delimiter": "/b?list-type=2&encoding-type=url&delimiter=/&prefix=usr/share/doc/",
	} {
		b.Run(name+"/handler", func(b *testing.B) {
			r, err := http.NewRequest(http.MethodGet, query, nil)
			if err != nil {
				b.Fatal(err)
			}
			w := discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pages/s")
		})
		b.Run(name+"/loopback", func(b *testing.B) {
			for b.Loop() {
				r, err := http.Get(s.URL() + query)
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = r.Body.Read(buf) // large reads: the client is not what is measured
				}
				if !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
				r.Body.Close()
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pages/s")
		})
	}
}

package webtest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/s3serve"
)

// BenchmarkFirstPaint opens the page of a run that has found a million prefixes, a
// hundred in each of three levels: until something is seen, until the figures are, until
// the map is drawn with what is in its biggest tiles, and until a prefix that was
// pressed is drawn.
func BenchmarkFirstPaint(b *testing.B) {
	bucket, err := s3serve.FromKeys(func(yield func(string) bool) {
		for i := range 1_000_000 {
			if !yield(fmt.Sprintf("%02d/%02d/%02d/object", i/10_000, i/100%100, i%100)) {
				return
			}
		}
	})
	require.NoError(b, err)
	u := newUser(b, s3serve.New(s3serve.Options{Buckets: map[string]*s3serve.Listing{"million": bucket}}))
	url, _ := u.walks("run", "s3://million/", "--run", "live", "--web", "--out", "out")
	first := newTab(b, 1280, 900)
	first.open(url)
	first.shows("#state", "Finished")
	first.shows("#tree-told", " 1,000,000 objects")
	var paint, figures, drawn, pressed []float64
	for b.Loop() {
		t := newTab(b, 1280, 900)
		t.open(url)
		t.until("document.querySelector('#figures.ready')")
		t.until("performance.getEntriesByName('first-contentful-paint').length")
		paint = append(paint, eval[float64](t, "performance.getEntriesByName('first-contentful-paint')[0].startTime"))
		t.until("document.querySelectorAll('.tile').length === 100")
		// The page marks these itself.
		figures = append(figures, eval[float64](t, "performance.getEntriesByName('figures')[0].startTime"))
		drawn = append(drawn, eval[float64](t, "performance.getEntriesByName('map')[0].startTime"))
		began := time.Now()
		eval[any](t, "document.querySelector('.tile[data-prefix=\"42/\"]').click()")
		t.until("document.querySelector('#tree-map').dataset.shown === '42/'")
		pressed = append(pressed, float64(time.Since(began).Microseconds())/1000)
	}
	for name, all := range map[string][]float64{"first-paint": paint, "figures": figures, "map": drawn, "prefix": pressed} {
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], "ms/"+name)
	}
	b.ReportMetric(0, "ns/op")
}

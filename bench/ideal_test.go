package bench

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/ramify/ramify/bench/keys"
	"github.com/ramify/ramify/bench/peer"
)

// ideal is how fast a list could be had at all.
type ideal struct {
	pages int
	wire  time.Duration // ⌈keys/1000⌉ answers, as many in flight as may be
	cpu   time.Duration // what this machine takes to serve and receive them
}

func (i ideal) wall() time.Duration { return max(i.wire, i.cpu) }

// ideal measures it by a client that nobody can have: it knows beforehand where
// each page begins and throws the answers away.
func (s *server) ideal(b *testing.B, l *keys.List, truth *keys.Truth, latency time.Duration) ideal {
	b.Helper()
	marks, err := l.Marks()
	must(b, err)
	s.control(b, "reset?latency=0s")
	transport := &http.Transport{MaxIdleConnsPerHost: inFlight, ReadBufferSize: 64 << 10}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var took []float64
	for range 5 {
		pages := make(chan string, truth.Pages())
		pages <- ""
		for _, mark := range marks {
			pages <- mark
		}
		close(pages)
		began := time.Now()
		var g sync.WaitGroup
		for range inFlight {
			g.Go(func() {
				for after := range pages {
					if err := s.page(b, client, after); err != nil {
						b.Error(err)
					}
				}
			})
		}
		g.Wait()
		took = append(took, time.Since(began).Seconds())
	}
	return ideal{
		pages: truth.Pages(),
		wire:  time.Duration(truth.Pages()) * latency / inFlight,
		cpu:   time.Duration(spreadOf(took).mid * float64(time.Second)),
	}
}

func (s *server) page(b *testing.B, client *http.Client, after string) error {
	q := url.Values{"list-type": {"2"}, "encoding-type": {"url"}}
	if after != "" {
		q.Set("start-after", after)
	}
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.url+"/"+peer.Bucket+"?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("list page: %s", resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

package s3serve

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestCloseLetsRunningRequestsEnd(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	s, err := Start(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "whole")
	}))
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(s.URL(), "http://")
	if !strings.HasPrefix(address, "127.0.0.1:") {
		t.Errorf("listens on %s", address)
	}
	unused, err := net.Dial("tcp", address) // must not hold the server up
	if err != nil {
		t.Fatal(err)
	}
	defer unused.Close()

	answer := make(chan string, 1)
	go func() {
		r, err := http.Get(s.URL())
		if err != nil {
			answer <- err.Error()
			return
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		answer <- string(body)
	}()
	<-arrived
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	// New connections are refused while the running request is still held.
	for {
		c, err := net.Dial("tcp", address)
		if err != nil {
			break
		}
		c.Close()
	}
	close(release)
	if got := <-answer; got != "whole" {
		t.Errorf("the running request got %q", got)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

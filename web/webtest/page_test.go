package webtest

import (
	"os"
	"testing"
	"time"
)

func TestLook(t *testing.T) {
	w := &world{}
	newRun(w, "20261126-071450-pjhe")
	url := w.serve(t, 100*time.Millisecond)
	b := newTab(t, 1280, 900)
	b.dark(false)
	b.open(url)
	b.shows("#f-objects", ",")
	b.until("document.querySelectorAll('.tile.open').length > 3")
	os.WriteFile("/tmp/c-page-x/light.png", b.picture(true), 0o600)
	b.dark(true)
	b.until("true")
	os.WriteFile("/tmp/c-page-x/dark.png", b.picture(false), 0o600)
}

package s3crawl

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// Whatever is guessed, what is said to be done grows with what is listed and stays
// below 1, and what a node keeps is what makes it so.
func TestThePastOfANode(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		var p past
		share := 1.0
		for range 30 {
			keep, now := p.goOn(float64(r.IntN(1_000_000)), 1+math.Exp(25*r.Float64()))
			if !now.valid() || now.Done < p.Done || !(keep >= 0 && keep <= 1) {
				t.Fatalf("%+v after %+v, %v kept", now, p, keep)
			}
			if share *= 1 - keep; math.Abs(share-(1-now.Done)) > 1e-9 {
				t.Fatalf("%v of the share is left where %v is done", share, now.Done)
			}
			p = now
		}
	}
}

// Children that several tasks take on have the past of their parent between them, so
// that what each says goes on from what was said.
func TestChildrenDivideThePast(t *testing.T) {
	p := past{Keys: 1000, First: 100, Done: 0.5}
	a, b := p.part(0.25), p.part(0.75)
	if a.Keys+b.Keys != 1000 || a.First+b.First != 100 || a.Done != 0.5 || b.Done != 0.5 {
		t.Errorf("%+v and %+v of %+v", a, b, p)
	}
	const left = 1500.0
	whole, _ := p.goOn(1000, left)
	part, _ := a.goOn(250, left/4)
	if math.Abs(whole-part) > 1e-9 {
		t.Errorf("a quarter keeps %v, the whole %v", part, whole)
	}
}

func TestAPastThatCannotBeIsRefused(t *testing.T) {
	for _, past := range []string{`{"keys":-1}`, `{"keys":1,"first":2}`, `{"done":1}`, `{"done":-0.1}`} {
		if _, err := parseArgs([]byte(`{"bucket":"b","prefix":"","past":` + past + `}`)); err == nil || !strings.Contains(err.Error(), "past") {
			t.Errorf("%s: %v", past, err)
		}
	}
}

package plan

import (
	"strings"
	"testing"
)

// FuzzParseModel: no model crashes its reader or those who draw it, and what it takes has
// a bounded number of nodes and levels.
func FuzzParseModel(f *testing.F) {
	f.Add("tree:nodes=1e6,time=100ms,fanout=10,long=0.001@60s/0.00002@20m")
	f.Add("tree:levels=1/200x900,message=5ms..20ms,inline=0,lists=1.2")
	f.Add("tree:levels=1x999999999999")
	f.Add("tree:levels=1/1x9223372036854775807")
	f.Add(`{"nodes":1e6,"time":"100ms","long":[{"part":0.1,"time":"60s"}]} `)
	f.Add(`{"levels":[1,1e308,NaN]}`)
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseModel(s)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Fatalf("the error is not one line: %q", err)
			}
			return
		}
		levels := m.Tree.Levels
		if len(levels) == 0 || len(levels) > mostLevels {
			t.Fatalf("%d levels", len(levels))
		}
		for _, n := range levels {
			if within := n >= 1 && n <= mostNodes; !within { // nor NaN
				t.Fatalf("a level of %v nodes", n)
			}
		}
	})
}

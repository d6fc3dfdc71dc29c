package queuetest

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// variable has a process of a test run what is excepted.
const variable = "RAMIFY_TEST_UNEXCEPTED"

func unexcepted() bool { return os.Getenv(variable) != "" }

// checkExceptions asks for exceptions from sentences there are, with reasons.
func checkExceptions(t *testing.T, except map[string]string) {
	t.Helper()
	for sentence, why := range except {
		known := slices.ContainsFunc(contract, func(c clause) bool { return c.sentence == sentence })
		if !known || why == "" {
			t.Errorf("exception from %q, because %q: name a sentence of the contract, and the reason", sentence, why)
		}
	}
}

// mustFail runs this subtest without its exception, in a process of its own.
func mustFail(t *testing.T, why string) {
	t.Helper()
	var pattern []string
	for part := range strings.SplitSeq(t.Name(), "/") {
		pattern = append(pattern, "^"+regexp.QuoteMeta(part)+"$")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+strings.Join(pattern, "/"), "-test.timeout=5m")
	cmd.Env = append(os.Environ(), variable+"=1")
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		t.Errorf("this is kept now: drop its exception, whose reason was: %s", why)
	case !strings.Contains(string(out), "--- FAIL: "+t.Name()+" "):
		t.Errorf("the exception could not be checked: %v\n%s", err, out)
	default:
		t.Logf("excepted: %s", why)
	}
}

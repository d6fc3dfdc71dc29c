package program

import (
	"encoding/json"
	"regexp"
	"testing"
)

// Summary is the object with which `run --json` ends, and which `status --json` prints.
type Summary struct {
	Run    string `json:"run"`
	Target string `json:"target"`
	State  string `json:"state"`
	Nodes  int64  `json:"nodes"`
	Failed int64  `json:"failed"`
	Totals struct {
		Objects  int64  `json:"objects"`
		Bytes    int64  `json:"bytes"`
		Prefixes *int64 `json:"prefixes"`

		Digests *struct{ Size, ETag string } `json:"digests"` // with --checksums
	} `json:"totals"`
	Requests map[string]int64 `json:"requests"`
	Retries  int64            `json:"retries"`
	Seconds  float64          `json:"seconds"`
	Out      string           `json:"out"`
}

// summaryForm has all fields of a summary, in their order, and nothing else.
var summaryForm = regexp.MustCompile(`^\{"run":"[^"]+","target":"(?:[^"\\]|\\.)+","state":"[a-z_]+","nodes":\d+,"failed":\d+,` +
	`"totals":\{"objects":\d+,"bytes":\d+,"prefixes":(?:\d+|null)(?:,"digests":\{"size":"[0-9a-f]{64}","etag":"[0-9a-f]{64}"\})?\},"requests":\{(?:"[a-z]+":\d+,?)*\},"retries":\d+,` +
	`"seconds":[0-9.]+,"out":"[^"]*"\}\n$`)

// ParseSummary reads the one line that must be the whole output.
func ParseSummary(t *testing.T, stdout string) (s Summary) {
	t.Helper()
	if !summaryForm.MatchString(stdout) {
		t.Fatalf("not the form of a summary: %s", stdout)
	}
	if err := json.Unmarshal([]byte(stdout), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

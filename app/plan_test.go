package app

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
	"github.com/ramify/ramify/scaling"
)

// command runs the command and returns what it wrote.
func command(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	dir := t.TempDir()
	o, err := os.Create(filepath.Join(dir, "out"))
	require.NoError(t, err)
	e, err := os.Create(filepath.Join(dir, "err"))
	require.NoError(t, err)
	code = realMain(args, streams{out: o, err: e})
	require.NoError(t, o.Close())
	require.NoError(t, e.Close())
	text, err := os.ReadFile(o.Name())
	require.NoError(t, err)
	problem, err := os.ReadFile(e.Name())
	require.NoError(t, err)
	return code, string(text), string(problem)
}

func TestPlanOfATree(t *testing.T) {
	picture := filepath.Join(t.TempDir(), "curves.svg")
	code, out, errs := command(t, "plan", "tree:nodes=1e6,time=100ms,fanout=8", "--seeds", "5", "--svg", picture)
	require.Equal(t, exitDone, code, errs)
	for _, want := range []string{"nodes         1M\n", "duration      3m", "Fargate", "DynamoDB", "tasks running, at most", "backlog, at most", "us-east-1"} {
		assert.Contains(t, out, want)
	}
	svg, err := os.ReadFile(picture)
	require.NoError(t, err)
	assert.Contains(t, string(svg), "<svg ")

	code, out, errs = command(t, "plan", "tree:nodes=1e6,fanout=8", "--seeds", "5", "--scaling", "target-tracking", "--json")
	require.Equal(t, exitDone, code, errs)
	var plan struct {
		Target  string
		Seconds struct{ Low, Mid, High float64 }
		Cost    []struct{ Service string }
		Curve   []struct{ At, Running int }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &plan))
	assert.Equal(t, "tree:nodes=1e6,fanout=8", plan.Target)
	assert.Greater(t, plan.Seconds.Mid, 400.0, "target tracking is slower")
	assert.NotEmpty(t, plan.Cost)
	assert.NotEmpty(t, plan.Curve)
}

// A plan without flags is of a fleet that was deployed without knobs. The table of these
// is compared with what the template reads.
func TestPlanIsOfTheDefaultFleet(t *testing.T) {
	text, err := os.ReadFile("../docs/deploy.md")
	require.NoError(t, err)
	knobs := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| `([^`]*)` \\|").FindAllStringSubmatch(string(text), -1) {
		knobs[row[1]] = row[2]
	}
	var c planCmd
	parser, err := kong.New(&c)
	require.NoError(t, err)
	_, err = parser.Parse([]string{"tree:nodes=1"})
	require.NoError(t, err)
	for knob, value := range map[string]any{
		"min": c.Min, "max": c.Max, "concurrency": c.Concurrency, "scaling": c.Scaling, "track": c.Metric, "target": c.Target,
		"cpu": c.CPU * 1024, "memory": c.Memory * 1024, "disk": c.Disk, "spot": c.Spot, "public-ip": c.PublicIP, "message": c.Message,
	} {
		assert.Equal(t, knobs[knob], fmt.Sprint(value), knob)
	}
	assert.Equal(t, knobs["latency"]+"0s", c.Acceptable.String())
	assert.Equal(t, knobs["arch"] != "arm64", c.X86)
	assert.InDelta(t, scaling.Spot, c.Spot, 0)
}

func TestPlanWithABudget(t *testing.T) {
	code, out, errs := command(t, "plan", "tree:nodes=1e7", "--seeds", "5", "--budget", "0.10")
	require.Equal(t, exitDone, code, errs)
	assert.Contains(t, out, "a budget of $0.1000 pauses 5 of 5 runs of the model, with ")
	code, out, errs = command(t, "plan", "tree:nodes=1e7", "--seeds", "5")
	require.Equal(t, exitDone, code, errs)
	assert.Contains(t, out, "what --budget on a run is held against")
}

func TestPlanOfABucket(t *testing.T) {
	keys, err := sample.Keys()
	require.NoError(t, err)
	listing, err := s3serve.FromKeys(slices.Values(keys))
	require.NoError(t, err)
	server, err := s3serve.Start(s3serve.New(s3serve.Options{Buckets: map[string]*s3serve.Listing{"b": listing}}))
	require.NoError(t, err)
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL_S3", server.URL())
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_REGION", "us-east-1")

	code, out, errs := command(t, "plan", "s3://b/", "--seeds", "3")
	require.Equal(t, exitDone, code, errs)
	assert.Contains(t, out, "keys: 20000, all of them seen")
	assert.Contains(t, out, "S3")

	code, out, errs = command(t, "plan", "s3://b/", "--seeds", "3", "--probes", "8")
	require.Equal(t, exitDone, code, errs)
	assert.Contains(t, out, "by 8 LIST requests")

	code, out, errs = command(t, "plan", "s3://b/", "--seeds", "3", "--keys", "3e9")
	require.Equal(t, exitDone, code, errs)
	assert.Contains(t, out, "nodes         3M")

	code, _, errs = command(t, "plan", "s3://absent/")
	assert.Equal(t, exitCannot, code)
	assert.Contains(t, errs, "absent")
}

func TestPlanRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		`nodes is "0", want`:              {"tree:time=1s"},
		`model "nodes=3" is not known`:    {"nodes=3"},
		"--scaling is cpu, want governor": {"tree:nodes=9", "--scaling", "cpu"},
		"--max is 0, want":                {"tree:nodes=9", "--max", "0"},
		"--concurrency is 0, want":        {"tree:nodes=9", "--concurrency", "0"},
		"--cpu is 3, want":                {"tree:nodes=9", "--cpu", "3"},
		"--memory is 1, want":             {"tree:nodes=9", "--memory", "1"},
		"--spot is 200, want":             {"tree:nodes=9", "--spot", "200"},
		"--disk is 19, want":              {"tree:nodes=9", "--disk", "19"},
		"--message is 0s, want":           {"tree:nodes=9", "--message", "0s"},
		`--budget is "none", want`:        {"tree:nodes=9", "--budget", "none"},
		"--seeds is 0, want":              {"tree:nodes=9", "--seeds", "0"},
		"--probes is 0, want":             {"s3://b/", "--probes", "0"},
		"--keys is -1, want":              {"s3://b/", "--keys=-1"},
		"--metric is \"CPU\", want":       {"tree:nodes=9", "--metric", "CPU"},
		"--target is 0s, want":            {"tree:nodes=9", "--target", "0s"},
	} {
		code, _, errs := command(t, append([]string{"plan"}, args...)...)
		assert.Equal(t, exitUsage, code, args)
		assert.Contains(t, errs, want)
	}
}

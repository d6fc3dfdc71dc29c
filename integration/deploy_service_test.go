package integration

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// unknown is what the emulator does not know, by the names in the template, and is
// left out. The whole template is judged in infra.
var unknown = map[string]string{
	"TasksRange": "AWS::ApplicationAutoScaling::ScalableTarget",
	"Net":        "AWS::ApplicationAutoScaling::ScalingPolicy", // of the governor
	"Track":      "AWS::ApplicationAutoScaling::ScalingPolicy", // of target tracking, as the next
	"TrackBusy":  "AWS::ApplicationAutoScaling::ScalingPolicy",
	"WakeUp":     "AWS::ApplicationAutoScaling::ScalingPolicy",
	"GoToSleep":  "AWS::ApplicationAutoScaling::ScalingPolicy",
	"Capacity":   "AWS::ECS::ClusterCapacityProviderAssociations",
	// Alarms on an expression of two metrics.
	"NoProgressAlarm": "AWS::CloudWatch::Alarm",
	"ShortAlarm":      "AWS::CloudWatch::Alarm",
	// A function in JavaScript, with AWS's SDK, which only Lambda brings along.
	"ResultsAutoDeleteObjectsCustomResource": "Custom::S3AutoDeleteObjects",
}

// trim leaves out what the emulator does not know, of the kinds above exactly those
// resources, and tells the function where AWS is.
func trim(t *testing.T, assembly, stack, url string, governor bool) {
	t.Helper()
	path := filepath.Join(assembly, stack+".template.json")
	var template map[string]any
	readJSON(t, path, &template)
	resources := template["Resources"].(map[string]any)
	left := maps.Clone(unknown)
	gone := map[string]bool{}
	for id, r := range resources {
		kind := r.(map[string]any)["Type"].(string)
		name := id
		if kind == "Custom::S3AutoDeleteObjects" {
			name = id[:len(id)-8] // a hash
		}
		switch {
		case unknown[name] == kind:
			delete(left, name)
			gone[id] = true
			delete(resources, id)
		case kind == "AWS::CloudWatch::Alarm":
			if r.(map[string]any)["Properties"].(map[string]any)["Metrics"] != nil {
				t.Errorf("%s is an alarm on an expression, which the emulator does not know: add it to those that are left out", id)
			}
		case slices.Contains(slices.Collect(maps.Values(unknown)), kind):
			t.Errorf("%s is a %s, which the emulator does not know: add it to those that are left out", id, kind)
		}
	}
	if governor {
		delete(left, "Track")
		delete(left, "TrackBusy")
	} else {
		delete(left, "Net")
	}
	for name, kind := range left {
		t.Errorf("there is no %s %s any more: it need not be left out", kind, name)
	}
	for _, r := range resources {
		r := r.(map[string]any)
		if r["Type"] == "AWS::Lambda::Function" && strings.HasPrefix(fmt.Sprint(r["Properties"].(map[string]any)["Runtime"]), "provided") {
			r["Properties"].(map[string]any)["Environment"].(map[string]any)["Variables"].(map[string]any)["AWS_ENDPOINT_URL"] = url
		}
	}
	text, err := json.MarshalIndent(without(template, gone), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	rewrite(t, path, text)
	rekey(t, assembly, stack, text)
}

// without has no references to what is gone: from lists they vanish.
func without(v any, gone map[string]bool) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			v[k] = without(x, gone)
		}
	case []any:
		var kept []any
		for _, x := range v {
			if m, is := x.(map[string]any); is && gone[fmt.Sprint(m["Ref"])] {
				continue
			}
			if s, is := x.(string); is && gone[s] {
				continue
			}
			kept = append(kept, without(x, gone))
		}
		return kept
	}
	return v
}

// rekey gives the template the name of its content: the CLI uploads nothing twice.
func rekey(t *testing.T, assembly, stack string, text []byte) {
	t.Helper()
	var assets struct {
		Files map[string]struct{ Source struct{ Path string } }
	}
	path := filepath.Join(assembly, stack+".assets.json")
	readJSON(t, path, &assets)
	sum := sha256.Sum256(text)
	for hash, f := range assets.Files {
		if f.Source.Path != stack+".template.json" {
			continue
		}
		for _, p := range []string{path, filepath.Join(assembly, "manifest.json")} {
			data, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			rewrite(t, p, []byte(strings.ReplaceAll(string(data), hash, hex.EncodeToString(sum[:]))))
		}
	}
}

func rewrite(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (d *deployed) service(ctx context.Context) (*ecstypes.Service, error) {
	out, err := d.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{
		Cluster: aws.String(d.out["RamifyCluster"]), Services: []string{d.out["RamifyService"]},
	})
	if err != nil {
		return nil, err
	}
	if len(out.Services) != 1 {
		return nil, fmt.Errorf("%d services", len(out.Services))
	}
	return &out.Services[0], nil
}

// look is one look at the desired count, and what follows from it. The youngest tasks
// go first; those that drain are no longer counted.
func (d *deployed) look(t *testing.T) {
	t.Helper()
	s, err := d.service(t.Context())
	if err != nil {
		t.Fatalf("look at the service: %v", err)
	}
	d.now = int(s.DesiredCount)
	for len(d.tasks) < d.now {
		u := &user{dir: d.dir, env: d.env}
		d.tasks = append(d.tasks, u.start(t, "task"))
		d.peak = max(d.peak, len(d.tasks))
	}
	for len(d.tasks) > d.now {
		last := d.tasks[len(d.tasks)-1]
		d.tasks = d.tasks[:len(d.tasks)-1]
		last.signal(t, terminate)
		d.leaving = append(d.leaving, last)
	}
	for _, p := range d.tasks {
		if !p.running() {
			p.wait(t).requireCode(t, 0) // says why
			t.Fatal("a task has ended by itself")
		}
	}
	d.leaving = slices.DeleteFunc(d.leaving, func(p *process) bool {
		if p.running() {
			return false
		}
		p.wait(t).requireCode(t, 0)
		return true
	})
}

// await keeps the service as it is desired until something is true.
func (d *deployed) await(t *testing.T, what string, done func() bool) {
	t.Helper()
	begun := time.Now()
	again := time.NewTicker(300 * time.Millisecond)
	defer again.Stop()
	for over := time.After(patience()); ; {
		d.look(t)
		if d.act != nil {
			d.act()
		}
		if done() {
			t.Logf("%s: after %v", what, time.Since(begun).Round(time.Second))
			return
		}
		select {
		case <-again.C:
		case <-over:
			t.Fatalf("%s: not in %v; %d tasks desired, %d there\n%s", what, patience(), d.now, len(d.tasks), d.said())
		}
	}
}

// quiet reports whether there is no task, and none that drains.
func (d *deployed) quiet() bool { return d.now == 0 && len(d.tasks) == 0 && len(d.leaving) == 0 }

// said is the end of what tasks said.
func (d *deployed) said() string {
	var b strings.Builder
	for i, p := range d.tasks {
		text := p.stderr.String()
		fmt.Fprintf(&b, "task %d: %s\n", i, text[max(len(text)-2000, 0):])
	}
	return b.String()
}

// roseAndFell reads a metric back: it was more than 0, and has been 0 since.
func (d *deployed) roseAndFell(t *testing.T, metric string) bool {
	t.Helper()
	values := d.byMinute(t, metric, "Maximum")
	lowest := d.byMinute(t, metric, "Minimum")
	return slices.ContainsFunc(values, func(v float64) bool { return v > 0 }) && lowest[len(lowest)-1] == 0
}

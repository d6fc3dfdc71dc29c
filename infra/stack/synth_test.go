package stack_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/infra/knob"
	"github.com/ramify/ramify/infra/stack"
)

func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

const anImage = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/ramify:1"

const aKey = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// set is knobs that are not at their defaults.
type set map[string]string

// variants are the stacks that every rule must hold for.
var variants = map[string]set{
	"default":         {},
	"target tracking": {"scaling": knob.TargetTracking, "arch": "x86_64", "spot": "0", "min": "1"},
	"backlog seconds": {"scaling": knob.TargetTracking, "track": knob.BacklogSeconds, "spot": "100", "disk": "100"},
	"with schedules":  {"cron": "testdata/cron.yaml"},
	"in a network": {
		"vpc": "vpc-0123456789abcdef0", "subnets": "subnet-0123456789abcdef0,subnet-0123456789abcdef1", "public-ip": "false",
		"retain": "bucket,table", "recovery": "true", "alarm-topic": "arn:aws:sns:eu-central-1:123456789012:alarms",
		"read": "*", "write": "a-bucket", "kms-keys": aKey, "queues": "outcomes,night-io",
	},
}

// eachVariant runs a test for all of them.
func eachVariant(t *testing.T, do func(t *testing.T, knobs set)) {
	for _, name := range slices.Sorted(maps.Keys(variants)) {
		t.Run(name, func(t *testing.T) { do(t, variants[name]) })
	}
}

// made is a stack, not yet synthesized.
type made struct {
	stack awscdk.Stack
	dir   string
}

func assemble(t *testing.T, given set) made {
	t.Helper()
	function := filepath.Join(t.TempDir(), "function")
	require.NoError(t, os.MkdirAll(function, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(function, "bootstrap"), []byte("a stub"), 0o755))
	all := set{"image": anImage, "function": function}
	maps.Copy(all, given)
	k, err := knob.Read(func(name string) (string, bool) {
		v, ok := all[name]
		return v, ok
	}, slices.Collect(maps.Keys(all)))
	require.NoError(t, err)
	dir := t.TempDir()
	var s awscdk.Stack
	try(t, func() {
		s = stack.New(awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(dir), AnalyticsReporting: jsii.Bool(false)}), k)
	})
	return made{s, dir}
}

// try turns what the CDK panics with into a failure of this test.
func try(t *testing.T, do func()) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Helper()
			t.Fatal(p)
		}
	}()
	do()
}

// template is a synthesized stack, to be asked by the CDK's assertions.
type template struct {
	t   *testing.T
	cdk assertions.Template
}

func synth(t *testing.T, given set) template {
	t.Helper()
	m := assemble(t, given)
	tm := template{t: t}
	try(t, func() { tm.cdk = assertions.Template_FromStack(m.stack, nil) })
	return tm
}

// has requires a resource of a type with at least these properties.
func (tm template) has(kind string, properties any) {
	tm.t.Helper()
	try(tm.t, func() { tm.t.Helper(); tm.cdk.HasResourceProperties(jsii.String(kind), properties) })
}

// count requires so many resources of a type.
func (tm template) count(kind string, n int) {
	tm.t.Helper()
	try(tm.t, func() { tm.t.Helper(); tm.cdk.ResourceCountIs(jsii.String(kind), jsii.Number(float64(n))) })
}

// tree is a template, or a part of it.
type tree = map[string]any

func (tm template) json() tree {
	tm.t.Helper()
	data, err := json.Marshal(tm.cdk.ToJSON())
	require.NoError(tm.t, err)
	var all tree
	require.NoError(tm.t, json.Unmarshal(data, &all))
	return all
}

// resources are those of a type, by their names.
func (tm template) resources(kind string) map[string]tree {
	found := map[string]tree{}
	for name, r := range tm.json()["Resources"].(tree) {
		if r := r.(tree); r["Type"] == kind {
			found[name] = r["Properties"].(tree)
		}
	}
	return found
}

// policy is that of a role, by how their names begin.
func (tm template) policy(role string) tree {
	tm.t.Helper()
	for name, p := range tm.resources("AWS::IAM::Policy") {
		if strings.HasPrefix(name, role) {
			return p
		}
	}
	tm.t.Fatalf("%s has no policy", role)
	return nil
}

// only is the one resource of a type.
func (tm template) only(kind string) tree {
	tm.t.Helper()
	found := tm.resources(kind)
	require.Len(tm.t, found, 1, kind)
	for _, r := range found {
		return r
	}
	return nil
}

// at walks down a tree: by names, and by numbers in lists.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			v = v.(tree)[p]
		case int:
			v = v.([]any)[p]
		default:
			panic(fmt.Sprintf("no path: %v", p))
		}
	}
	return v
}

package knob_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// made is what make would do.
func made(t *testing.T, args ...string) string {
	t.Helper()
	out, err := makes(t, args...)
	require.NoError(t, err, out)
	return out
}

func makes(t *testing.T, args ...string) (string, error) {
	t.Helper()
	_, err := os.ReadFile("../../Makefile") // so that no result of another is cached
	require.NoError(t, err)
	cmd := exec.Command("make", append([]string{"--no-print-directory", "-n", "-C", "../.."}, args...)...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { // of a make that runs this, or of whoever has a fleet
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"MAKEFLAGS", "MFLAGS", "STACK", "ARCH", "SET"}, name)
	})
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestMakeWithoutAValue: the CDK would leave out what is no NAME=VALUE, warn of it and
// deploy with the default.
func TestMakeWithoutAValue(t *testing.T) {
	for _, target := range []string{"deploy", "synth", "bootstrap", "destroy"} {
		for knobs, want := range map[string]string{"retain": "retain", "max 50": "max 50", "max=50 read=a, b": "b"} {
			out, err := makes(t, target, "SET="+knobs)
			require.Error(t, err, "%s %s", target, knobs)
			assert.Contains(t, out, `SET has "`+want+`", want knob=value`)
		}
	}
}

// TestMake: whichever way make is told the architecture, or infra/cdk.context.json says
// it, the function is built that the app takes, and the image has it.
func TestMake(t *testing.T) {
	for _, target := range []string{"deploy", "synth", "bootstrap", "destroy"} {
		for arch, ways := range map[string][]string{"arm64": {"SET=", "SET=arch=arm64", "ARCH=arm64"}, "x86_64": {"SET=arch=x86_64", "ARCH=x86_64"}} {
			k, err := read(set{"arch": arch})
			require.NoError(t, err)
			for _, way := range ways {
				out := made(t, target, way)
				assert.Contains(t, out, "-o "+strings.TrimPrefix(k.Function, "../")+"/bootstrap ./metricfn/lambda", "%s %s", target, way)
				if way != "SET=" {
					assert.Contains(t, out, "-c 'arch="+arch+"'", "%s %s", target, way)
				}
			}
		}
	}
	// What is not said is not said: else it would hide what the file says.
	out := made(t, "deploy")
	assert.NotContains(t, out, "arch=")
	assert.NotContains(t, out, "stack=")
	assert.Contains(t, out, "dist/linux-amd64/ramify dist/linux-arm64/ramify)")
	// What is wrong is said before anything is uploaded.
	assert.Less(t, strings.Index(out, " synth --quiet"), strings.Index(out, " --push"))
	assert.Contains(t, out, " synth --quiet")
	assert.Contains(t, made(t, "destroy", "STACK=two", "SET=retain=table"), "-c 'stack=two' -c 'retain=table'")
}

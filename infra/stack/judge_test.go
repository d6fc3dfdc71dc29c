package stack_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
	"github.com/gofrs/flock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the snapshot of the template anew")

// TestNag: the rules of cdk-nag hold, or it is said where they do not and why.
func TestNag(t *testing.T) {
	eachVariant(t, func(t *testing.T, knobs set) {
		assert.Empty(t, nagged(t, assemble(t, knobs).stack))
	})
	t.Run("they are asked", func(t *testing.T) {
		bare := awscdk.NewStack(awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(t.TempDir())}), jsii.String("bare"), nil)
		awssqs.NewQueue(bare, jsii.String("Queue"), nil)
		assert.NotEmpty(t, nagged(t, bare))
	})
}

// nagged are the errors and warnings of a stack, the CDK's own among them.
func nagged(t *testing.T, s awscdk.Stack) (all []string) {
	t.Helper()
	try(t, func() {
		awscdk.Aspects_Of(s).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{Verbose: jsii.Bool(true)}), nil)
		found := assertions.Annotations_FromStack(s)
		anything := assertions.Match_StringLikeRegexp(jsii.String(".*"))
		for _, f := range append(*found.FindError(jsii.String("*"), anything), *found.FindWarning(jsii.String("*"), anything)...) {
			all = append(all, fmt.Sprint(f.Entry.Data)) //nolint:staticcheck // the assertions of this version return no other
		}
	})
	return all
}

// TestLint: cfn-lint has nothing to say, and checkov nothing that is not answered in
// the template.
func TestLint(t *testing.T) {
	tools, err := judges()
	require.NoError(t, err)
	eachVariant(t, func(t *testing.T, knobs set) {
		file := write(t, knobs)
		t.Parallel() // from here on: jsii does one thing at a time
		out, err := exec.Command(filepath.Join(tools, "cfn-lint"), file).CombinedOutput()
		require.NoError(t, err, string(out))

		// Nothing is fetched: explanations come from a server that rules need not.
		cmd := exec.Command(filepath.Join(tools, "checkov"), "--framework", "cloudformation", "--skip-download", "-o", "json", "-f", file)
		var complaints bytes.Buffer
		cmd.Stderr = &complaints
		out, err = cmd.Output()
		require.NoError(t, err, complaints.String())
		var report struct {
			Results struct {
				Passed  []any     `json:"passed_checks"`
				Failed  []finding `json:"failed_checks"`
				Skipped []finding `json:"skipped_checks"`
				Errors  []any     `json:"parsing_errors"`
			}
		}
		require.NoError(t, json.Unmarshal(out, &report), string(out))
		assert.Empty(t, report.Results.Errors)
		assert.NotEmpty(t, report.Results.Passed)
		for _, f := range report.Results.Failed {
			t.Errorf("%s: %s, of %s", f.ID, f.Name, f.Resource)
		}
		for _, f := range report.Results.Skipped {
			assert.Greater(t, len(f.Result.Why), 40, "%s of %s is skipped for no reason", f.ID, f.Resource)
		}
	})
}

type finding struct {
	ID       string `json:"check_id"`
	Name     string `json:"check_name"`
	Resource string `json:"resource"`
	Result   struct {
		Why string `json:"suppress_comment"`
	} `json:"check_result"`
}

// judges is where cfn-lint and checkov are: installed once, into the checkout's cache.
var judges = sync.OnceValues(func() (string, error) {
	wanted := filepath.Join("testdata", "requirements.txt")
	versions, err := os.ReadFile(wanted)
	if err != nil {
		return "", err
	}
	cache, err := filepath.Abs(filepath.Join("..", "..", ".cache"))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	home := filepath.Join(cache, strings.ReplaceAll(strings.Join(strings.Fields(string(versions)), "-"), "==", "-"))
	bin, ready := filepath.Join(home, "bin"), filepath.Join(home, "ready")
	lock := flock.New(home + ".lock")
	if err := lock.Lock(); err != nil {
		return "", err
	}
	defer lock.Unlock() //nolint:errcheck // the process ends soon
	if _, err := os.Stat(ready); err == nil {
		return bin, nil
	}
	for _, command := range [][]string{
		{"python3", "-m", "venv", "--clear", home},
		{filepath.Join(bin, "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted},
	} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, out)
		}
	}
	return bin, os.WriteFile(ready, nil, 0o644)
})

// write is the template as a file.
func write(t *testing.T, knobs set) string {
	t.Helper()
	data, err := json.MarshalIndent(synth(t, knobs).json(), "", "  ")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "template.json")
	require.NoError(t, os.WriteFile(file, data, 0o644))
	return file
}

// hash is that of an asset, which is another for each build.
var hash = regexp.MustCompile(`\b[0-9a-f]{64}\.zip`)

// TestSnapshot shows what a change does to the template. To accept it:
//
//	go test ./stack -run Snapshot -update
//
// Tests of other modules read the snapshot: what the template names, others must know.
func TestSnapshot(t *testing.T) {
	all := synth(t, nil).json()
	for _, r := range all["Resources"].(tree) {
		delete(r.(tree), "Metadata")
	}
	delete(all, "Parameters") // the CDK's own
	delete(all, "Rules")
	var text bytes.Buffer
	text.WriteString("# The template of the default knobs. Written by `go test ./stack -run Snapshot -update`.\n")
	enc := yaml.NewEncoder(&text)
	enc.SetIndent(2)
	require.NoError(t, enc.Encode(all))
	require.NoError(t, enc.Close())
	got := hash.ReplaceAllString(text.String(), "HASH.zip")

	path := filepath.Join("testdata", "template.yaml")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "the template has changed: to accept it, go test ./stack -run Snapshot -update")
}

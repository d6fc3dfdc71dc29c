package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/ramify/ramify/internal/emulator/ministack"
)

// TestDeployed deploys the CDK app with the CDK's own CLI, lets the schedule fire the
// built function, which governs, and seeds a run by the stack's name. The test itself
// does what ECS does, and no more: it keeps as many real tasks as the service's
// desired count says, with the environment of the task definition.
func TestDeployed(t *testing.T) {
	t.Parallel()
	d := deploy(t, map[string]string{"max": "4", "concurrency": "4"})
	d.await(t, "the fleet that has nothing to do goes to its minimum", d.quiet)

	// 1,111 nodes of half a second, four at a time in each of at most four tasks.
	seed := d.start(t, "seed", `{"kind": "synthetic", "id": "0", "args": {"fanout": 10, "depth": 3, "work": "500ms"}}`,
		"--stack", d.stack, "--run", "deployed", "--inline", "0", "--watch", "--json")
	d.await(t, "one message wakes the fleet up", func() bool { return len(d.tasks) > 0 })
	d.await(t, "the run ends", func() bool { return !seed.running() })
	end := seed.wait(t)
	end.requireCode(t, 0)
	if sum := parseSummary(t, end.stdout); sum.State != "finished" || sum.Nodes != 1111 {
		t.Errorf("got %+v", sum)
	}
	d.await(t, "the count is back at its minimum", d.quiet)
	if d.peak < 2 || d.peak > 4 {
		t.Errorf("%d tasks at most, want 2 to 4", d.peak)
	}
	for _, metric := range []string{"BacklogPerTask", "Running"} {
		d.await(t, metric+" has risen and fallen", func() bool { return d.roseAndFell(t, metric) })
	}
	d.destroy(t)
}

// deployed is a fleet whose stack stands in ministack.
type deployed struct {
	*user // with the environment of whoever deploys and seeds
	stack string
	cfg   aws.Config
	out   map[string]string // of the stack
	begun time.Time

	template       map[string]any // all of it
	metrics        *cloudwatch.Client
	ecs            *ecs.Client
	env            []string // of tasks
	now            int      // tasks that are desired
	tasks, leaving []*process
	peak           int    // tasks that there were at a time
	act            func() // what else is done to the service, if anything
}

var bootstrapping sync.Mutex

// deploy synthesizes, drops what the emulator does not know, bootstraps and deploys.
func deploy(t *testing.T, knobs map[string]string) *deployed {
	t.Helper()
	url := ministack.URL(t)
	d := &deployed{user: newUser(t, url), stack: fmt.Sprintf("deployed-%d-%d", os.Getpid(), fleets.Add(1)), begun: time.Now()}
	d.user.env = append(d.user.env, "AWS_ENDPOINT_URL="+url, "AWS_DEFAULT_REGION=us-east-1")
	d.cfg = aws.Config{Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	d.ecs, d.metrics = ecs.NewFromConfig(d.cfg), cloudwatch.NewFromConfig(d.cfg)

	assembly := synth(t, d.dir, d.stack, knobs)
	readJSON(t, filepath.Join(assembly, d.stack+".template.json"), &d.template)
	trim(t, assembly, d.stack, url, knobs["scaling"] == "")
	func() {
		bootstrapping.Lock() // there is one account, with one stack for it
		defer bootstrapping.Unlock()
		cdk(t, d.user, "bootstrap", "aws://000000000000/us-east-1", "--app", assembly)
	}()
	cdk(t, d.user, "deploy", "--app", assembly, "--require-approval", "never")

	stacks, err := cloudformation.NewFromConfig(d.cfg).DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: &d.stack})
	if err != nil {
		t.Fatal(err)
	}
	d.out = map[string]string{}
	for _, o := range stacks.Stacks[0].Outputs {
		d.out[*o.OutputKey] = *o.OutputValue
	}
	d.replaceKey(t)
	d.readTask(t, url)
	return d
}

// synth runs the CDK app, as the CLI does.
func synth(t *testing.T, dir, stack string, knobs map[string]string) string {
	t.Helper()
	app, function, assembly := filepath.Join(dir, "app"), filepath.Join(dir, "function"), filepath.Join(dir, "cdk.out")
	arch := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
	build(t, "../infra", "-o", app, ".")
	build(t, "..", "-tags", "lambda.norpc", "-o", filepath.Join(function, "bootstrap"), "./metricfn/lambda")
	all := map[string]string{"stack": stack, "image": "ramify:test", "function": function, "arch": arch}
	for name, value := range knobs {
		all[name] = value
	}
	context, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(app)
	cmd.Env = append(os.Environ(), "CDK_OUTDIR="+assembly, "CDK_CONTEXT_JSON="+string(context))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("synthesize: %v\n%s", err, out)
	}
	return assembly
}

func build(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"build"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// cdk runs the CLI, in the version that `make deploy` runs.
func cdk(t *testing.T, u *user, args ...string) {
	t.Helper()
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(makefile), "CDK_CLI := ")
	cli, _, _ := strings.Cut(rest, "\n")
	if !found {
		t.Fatal("the Makefile has no CDK_CLI")
	}
	cache, err := filepath.Abs("../.cache/npm")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npx", append([]string{"--yes", "--cache", cache, cli}, args...)...)
	// npm is as its user has set it up; AWS is where the test says.
	cmd.Dir, cmd.Env = u.dir, append(os.Environ(), "CI=true", "CDK_DISABLE_CLI_TELEMETRY=true")
	for _, v := range u.env {
		if strings.HasPrefix(v, "AWS_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.WaitDelay = time.Minute // for what npx has started, and left
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cdk %s: %v\n%s", strings.Join(args, " "), err, shortened(string(out)))
	}
}

// replaceKey puts a key into the secret that CloudFormation should have made: the
// emulator makes one of any characters, although it is told to take those of base64.
func (d *deployed) replaceKey(t *testing.T) {
	t.Helper()
	_, err := secretsmanager.NewFromConfig(d.cfg).PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: aws.String(strings.TrimPrefix(d.out["RamifySigningKey"], "secretsmanager:")), SecretString: aws.String(signingKey),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// readTask takes the environment of tasks from the task definition. Only what this
// machine has otherwise is another: endpoints, a port and a folder.
func (d *deployed) readTask(t *testing.T, url string) {
	t.Helper()
	s, err := d.service(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	def, err := d.ecs.DescribeTaskDefinition(t.Context(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: s.TaskDefinition})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range def.TaskDefinition.ContainerDefinitions[0].Environment {
		d.env = append(d.env, *v.Name+"="+*v.Value)
	}
	d.env = append(d.env, "AWS_ENDPOINT_URL="+url, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true",
		"RAMIFY_HEALTH=127.0.0.1:0", "TMPDIR="+d.dir, "HOME="+d.dir)
}

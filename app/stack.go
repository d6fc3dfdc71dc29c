package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/smithy-go"

	"github.com/ramify/ramify/schema"
)

// The outputs of a stack that say where its fleet is.
const (
	outputQueue   = "RamifyQueue"      // name or URL
	outputLedger  = "RamifyLedger"     // dynamodb:TABLE
	outputOut     = "RamifyOut"        // s3://…, where runs write that say nothing else
	outputKey     = "RamifySigningKey" // where the secret is, as RAMIFY_SIGNING_KEY says it
	outputCluster = "RamifyCluster"    // name or ARN
	outputService = "RamifyService"    // name or ARN
	outputJournal = "RamifyMetricLogs" // log group of the function that governs
)

// outputKnobs are the outputs that say how a fleet is made, by the flags that say so to
// commands. An older stack has only the first.
var outputKnobs = map[string]string{
	"concurrency": "RamifyConcurrency", "min": "RamifyMin", "max": "RamifyMax", "target": "RamifyTarget", "latency": "RamifyLatency",
	"cpu": "RamifyCPU", "memory": "RamifyMemory", "disk": "RamifyDisk", "arch": "RamifyArch", "spot": "RamifySpot", "public-ip": "RamifyPublicIP",
}

// readStack takes from the outputs of the stack what was not said otherwise on
// the command line. Of what is in the environment the stack knows better: it is
// named for one command.
//
// Source: AWS CloudFormation API reference, "DescribeStacks".
func (f *fleet) readStack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client := cloudformation.NewFromConfig(f.cfg)
	out, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &f.Stack})
	if err != nil {
		return f.stackProblem(err)
	}
	outputs := map[string]string{}
	for _, s := range out.Stacks {
		for _, o := range s.Outputs {
			outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
		}
	}
	for _, o := range []struct {
		flag, output string
		into         *string
		needed       bool
	}{
		{"queue", outputQueue, &f.Queue, true},
		{"ledger", outputLedger, &f.Ledger, true},
		{"out", outputOut, &f.out, false},
		{"signing-key", outputKey, &f.secret, false},
		{"cluster", outputCluster, &f.cluster, false},
		{"service", outputService, &f.service, false},
		{"metric-logs", outputJournal, &f.journal, false},
	} {
		if o.needed && outputs[o.output] == "" {
			return usagef("stack %s has no output %s: it is not the stack of a fleet, or an older one: deploy it again, or name the fleet by --queue and --ledger", f.Stack, o.output)
		}
		if *o.into == "" || fromEnvironment(o.flag, *o.into) {
			*o.into = outputs[o.output]
		}
	}
	for flag, output := range outputKnobs {
		f.knobs[flag] = outputs[output]
	}
	return nil
}

// knob is the value of a flag that says how the fleet is made: what was said on the command
// line, else what the stack says, else what is in the environment.
func (f *fleet) knob(flag, said string) string {
	if said != "" && !fromEnvironment(flag, said) {
		return said
	}
	return cmp.Or(f.knobs[flag], said)
}

// badKnob tells of a setting that cannot be read, by the name that whoever made it knows.
func (f *fleet) badKnob(err error) error {
	field := (*schema.FieldError)(nil)
	if !errors.As(err, &field) {
		return err
	}
	flag := flagOf(field.Field)
	if f != nil && field.Value != "" && f.knobs[flag] == field.Value {
		return usagef("output %s of stack %s is %q, want %s", outputKnobs[flag], f.Stack, field.Value, field.Want)
	}
	return usagef("%s is %q, want %s", named(flag, field.Value), field.Value, field.Want)
}

func (f *fleet) stackProblem(err error) error {
	what := "describe stack " + f.Stack
	var api smithy.APIError
	if !errors.As(err, &api) {
		return f.explain(what, err)
	}
	switch code := api.ErrorCode(); {
	case code == "ValidationError" && strings.Contains(api.ErrorMessage(), "does not exist"):
		return fmt.Errorf("%s: there is no such stack here; check --stack, AWS_REGION and AWS_PROFILE", what)
	case code == "AccessDenied", code == "AccessDeniedException":
		return fmt.Errorf("%s: %s: allow cloudformation:DescribeStacks to these credentials, or name the fleet by --queue and --ledger", what, code)
	default:
		return fmt.Errorf("%s: %s: %s", what, code, api.ErrorMessage())
	}
}

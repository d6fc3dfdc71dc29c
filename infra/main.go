// Command infra is the CDK app: it writes the template of a fleet. `make deploy`
// runs it; docs/deploy.md has its knobs.
package main

import (
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ramify/ramify/infra/knob"
	"github.com/ramify/ramify/infra/stack"
)

func main() {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	k, err := knob.Read(context(app))
	if err == nil {
		err = k.Built()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "infra:", err)
		jsii.Close()
		os.Exit(1) //nolint:gocritic // closed just before
	}
	stack.New(app, k)
	app.Synth(nil)
}

// context is that of the app: -c NAME=VALUE, and cdk.json.
func context(app awscdk.App) (value func(string) (string, bool), given []string) {
	all, _ := app.Node().GetAllContext(nil).(map[string]any)
	return func(name string) (string, bool) {
		v, set := all[name]
		if !set || v == nil {
			return "", false
		}
		return fmt.Sprint(v), true
	}, slices.Sorted(maps.Keys(all))
}

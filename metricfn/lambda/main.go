// Command lambda is the function that a schedule starts every minute (package
// metricfn), for the runtime provided.al2023. Its configuration is its environment:
// docs/metrics.md has the table.
//
// Source: AWS Lambda Developer Guide, "Define Lambda function handlers in Go".
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"github.com/ramify/ramify/ledger/dynamodb"
	"github.com/ramify/ramify/metricfn"
)

// answer is what an invocation returns: it is seen where somebody invokes by hand.
type answer struct {
	Looks    int    `json:"looks"`
	Failures int    `json:"failures"` // of parts of looks
	Changes  int    `json:"changes"`  // of the desired count
	Decision string `json:"decision"` // the last
}

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	f, err := open(context.Background(), &log)
	if err != nil {
		log.Error("cannot start", "error", err)
		os.Exit(1)
	}
	lambda.Start(func(ctx context.Context) (a answer, err error) {
		err = f.Minute(ctx, func(r metricfn.Report) {
			a.Looks++
			a.Failures += len(r.Failures)
			if r.Applied {
				a.Changes++
			}
			a.Decision = r.Decision.String()
		})
		return a, err
	})
}

// open reads the configuration and wires the fleet. Nothing is asked of AWS.
func open(ctx context.Context, log **slog.Logger) (*metricfn.Function, error) {
	s, err := metricfn.ReadSettings(os.Getenv)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if s.Debug {
		*log = slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithLogger(logging.Nop{}))
	if err != nil {
		return nil, fmt.Errorf("read AWS configuration: %w", err)
	}
	o := s.Options(cfg, nil)
	if s.Table != "" {
		o = s.Options(cfg, dynamodb.New(cfg, s.Table, dynamodb.Options{}))
	}
	o.Log = *log
	return metricfn.New(o), nil
}

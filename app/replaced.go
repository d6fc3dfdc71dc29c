package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/ramify/ramify/internal/ecs"
)

// replacedBy asks whether the service that has started a task starts another version
// by now: a request each time, which is each half hour. It is nil for a task of no service.
//
// Source: Amazon ECS API Reference, "Service" (taskDefinition).
func replacedBy(cfg aws.Config, m ecs.Metadata) func(context.Context) (bool, error) {
	if m.ServiceName == "" || m.Revision == "" {
		return nil
	}
	describe := sdk.NewFromConfig(cfg).DescribeServices
	own := "/" + m.Family + ":" + m.Revision
	return func(ctx context.Context) (bool, error) {
		out, err := describe(ctx, &sdk.DescribeServicesInput{Cluster: &m.Cluster, Services: []string{m.ServiceName}})
		if err != nil {
			return false, fmt.Errorf("ecs:DescribeServices of %s in %s: %w", m.ServiceName, m.Cluster, err)
		}
		if len(out.Services) != 1 || out.Services[0].TaskDefinition == nil {
			return false, fmt.Errorf("ecs:DescribeServices of %s in %s: the answer has not its task definition", m.ServiceName, m.Cluster)
		}
		return !strings.HasSuffix(*out.Services[0].TaskDefinition, own), nil
	}
}

package metricfn

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ramify/ramify/scaling"
)

// ECS is a service on Amazon ECS. It keeps the two calls that it makes and not the
// client: a program has all 90 methods of a client that a type in an interface holds,
// and ours goes into a container image.
type ECS struct {
	describe         func(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error)
	update           func(context.Context, *ecs.UpdateServiceInput, ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error)
	cluster, service string

	mu     sync.Mutex
	events []Event // of the last look
}

// Source is who has done something to a service.
type Source string

// The sources of events.
const (
	ByECS         Source = "ecs"         // tasks that were started and stopped
	ByAutoScaling Source = "autoscaling" // the net under the governor, or what scales without one; wakes and sleep
	ByGovernor    Source = "governor"    // the function
)

// Event is what was done to a service.
type Event struct {
	At      time.Time
	By      Source
	Message string
}

var _ Service = (*ECS)(nil)

// NewECS is the service of a name or ARN in a cluster. Nothing is asked before the
// first look.
func NewECS(cfg aws.Config, cluster, service string) *ECS {
	client := ecs.NewFromConfig(cfg)
	return &ECS{describe: client.DescribeServices, update: client.UpdateService, cluster: cluster, service: service}
}

func (s *ECS) String() string { return "service " + s.service + " in cluster " + s.cluster }

// Counts makes one request (Amazon ECS API Reference, "DescribeServices").
func (s *ECS) Counts(ctx context.Context) (n scaling.Service, err error) {
	const action = "ecs:DescribeServices"
	out, err := s.describe(ctx, &ecs.DescribeServicesInput{Cluster: &s.cluster, Services: []string{s.service}})
	if err != nil {
		return n, explain(action, s.String(), err)
	}
	if len(out.Services) != 1 {
		reason := "no answer"
		for _, f := range out.Failures {
			reason = aws.ToString(f.Reason)
		}
		return n, fmt.Errorf("%s of %s: %w (%s)", action, s, ErrNotThere, reason)
	}
	found := out.Services[0]
	s.keep(found.Events)
	if status := aws.ToString(found.Status); status != "ACTIVE" {
		return n, fmt.Errorf("%s of %s: %w: it is %s", action, s, ErrNotThere, status)
	}
	return scaling.Service{Running: int(found.RunningCount), Pending: int(found.PendingCount), Desired: int(found.DesiredCount)}, nil
}

// keep remembers the events of an answer.
func (s *ECS) keep(some []types.ServiceEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = s.events[:0]
	for _, e := range some {
		s.events = append(s.events, Event{At: aws.ToTime(e.CreatedAt), By: ByECS, Message: aws.ToString(e.Message)})
	}
}

// Events are what the last answer to Counts told of, the newest first, so many at most:
// Amazon ECS keeps a hundred.
func (s *ECS) Events(most int) []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events[:min(len(s.events), most)])
}

// SetDesired makes one request (Amazon ECS API Reference, "UpdateService").
func (s *ECS) SetDesired(ctx context.Context, n int) error {
	count := int32(n)
	_, err := s.update(ctx, &ecs.UpdateServiceInput{Cluster: &s.cluster, Service: &s.service, DesiredCount: &count})
	return explain("ecs:UpdateService", s.String(), err)
}

package metricfn

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	aas "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
)

// AutoScaling is what Application Auto Scaling does to a service. It keeps a call, as ECS
// does.
type AutoScaling struct {
	describe func(context.Context, *aas.DescribeScalingActivitiesInput, ...func(*aas.Options)) (*aas.DescribeScalingActivitiesOutput, error)
	resource string
}

// NewAutoScaling is that of the service of a name or ARN in a cluster. Nothing is asked yet.
//
// Source: Application Auto Scaling API Reference, "DescribeScalingActivities" (ResourceId):
// it has names, and no ARN.
func NewAutoScaling(cfg aws.Config, cluster, service string) *AutoScaling {
	return &AutoScaling{
		describe: aas.NewFromConfig(cfg).DescribeScalingActivities,
		resource: "service/" + path.Base(cluster) + "/" + path.Base(service),
	}
}

// activities is how many an answer has, at most; it is the most there can be.
const activities = 50

// mostAnswers of a question are read: what is older is left out.
const mostAnswers = 40

// Events are the scaling activities that have begun since a time, the newest first, so many
// at most: one request for each fifty. They are kept for six weeks. A service that nobody
// has registered has none.
func (a *AutoScaling) Events(ctx context.Context, since time.Time, most int) ([]Event, error) {
	var all []Event
	in := &aas.DescribeScalingActivitiesInput{
		ServiceNamespace: types.ServiceNamespaceEcs, ScalableDimension: types.ScalableDimensionECSServiceDesiredCount,
		ResourceId: &a.resource, MaxResults: aws.Int32(int32(min(most, activities))),
	}
	for range mostAnswers {
		out, err := a.describe(ctx, in)
		if err != nil {
			return nil, explain("application-autoscaling:DescribeScalingActivities", a.resource, err)
		}
		for i := range out.ScalingActivities {
			act := &out.ScalingActivities[i]
			at := aws.ToTime(act.StartTime)
			if at.Before(since) || len(all) == most {
				return all, nil
			}
			all = append(all, Event{At: at, By: ByAutoScaling, Message: activity(act)})
		}
		if in.NextToken = out.NextToken; aws.ToString(out.NextToken) == "" || len(all) == most {
			break
		}
	}
	return all, nil
}

// activity is one in a line: what was done, why, and what became of it if that was not
// done.
func activity(a *types.ScalingActivity) string {
	line := func(s *string) string {
		return strings.TrimSuffix(strings.Join(strings.Fields(aws.ToString(s)), " "), ".")
	}
	text := line(a.Description)
	if cause := line(a.Cause); cause != "" {
		text += ": " + cause
	}
	switch said := line(a.StatusMessage); {
	case a.StatusCode == types.ScalingActivityStatusCodeSuccessful:
	case said == "":
		text += fmt.Sprintf(" (%s)", a.StatusCode)
	default:
		text += fmt.Sprintf(" (%s: %s)", a.StatusCode, said)
	}
	return text
}

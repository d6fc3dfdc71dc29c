package app

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/ecs"
)

func TestATaskKnowsThatItIsReplaced(t *testing.T) {
	cfg, stack := stacked(t)
	assert.Nil(t, replacedBy(cfg, ecs.Metadata{Cluster: stack, Family: stack, Revision: "1"}), "no service has started it")

	ask := replacedBy(cfg, ecs.Metadata{Cluster: stack, ServiceName: stack, Family: stack, Revision: "1"})
	is, err := ask(t.Context())
	require.NoError(t, err)
	assert.False(t, is)

	client := sdk.NewFromConfig(cfg)
	made, err := client.RegisterTaskDefinition(t.Context(), &sdk.RegisterTaskDefinitionInput{
		Family: &stack, ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: aws.String("task"), Image: aws.String("another")}},
	})
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(*made.TaskDefinition.TaskDefinitionArn, ":2"))
	_, err = client.UpdateService(t.Context(), &sdk.UpdateServiceInput{Cluster: &stack, Service: &stack, TaskDefinition: made.TaskDefinition.TaskDefinitionArn})
	require.NoError(t, err)
	is, err = ask(t.Context())
	require.NoError(t, err)
	assert.True(t, is)

	_, err = replacedBy(cfg, ecs.Metadata{Cluster: stack, ServiceName: "none", Family: stack, Revision: "1"})(t.Context())
	require.ErrorContains(t, err, "ecs:DescribeServices of none in "+stack)
}

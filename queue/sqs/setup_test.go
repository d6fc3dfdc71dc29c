package sqs_test

import (
	"crypto/rand"
	"net/http"
	"testing"
	"time"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/queue/sqs"
)

func TestCreate(t *testing.T) {
	onServers(t, func(t *testing.T, _, url string) {
		cfg, name := config(url), "ramify-"+rand.Text()
		first, err := sqs.Create(t.Context(), cfg, name, sqs.Settings{})
		require.NoError(t, err)
		again, err := sqs.Create(t.Context(), cfg, name, sqs.Settings{})
		require.NoError(t, err, "as it is")
		require.Equal(t, first, again)
		again, err = sqs.Create(t.Context(), cfg, name, sqs.Settings{Visibility: 90 * time.Second})
		require.NoError(t, err, "with another visibility")
		require.Equal(t, first, again)

		direct := cfg
		direct.HTTPClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		got, err := awssqs.NewFromConfig(direct).GetQueueAttributes(t.Context(), &awssqs.GetQueueAttributesInput{
			QueueUrl: &first.URL, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
		})
		require.NoError(t, err)
		require.Equal(t, "90", got.Attributes["VisibilityTimeout"])
		require.Equal(t, "20", got.Attributes["ReceiveMessageWaitTimeSeconds"])

		q := opened(t, cfg, name)
		require.Equal(t, first.DeadLetters, q.DeadLetters())
		dead, err := sqs.OpenDeadLetters(t.Context(), cfg, name)
		require.NoError(t, err)
		defer dead.Close()
		require.NoError(t, dead.Send(t.Context(), entries("a letter"))[0])
		letters, err := opened(t, cfg, first.DeadLetters).Receive(t.Context(), queue.Request{Max: 1, Visibility: time.Minute})
		require.NoError(t, err)
		require.Len(t, letters, 1)
		_, err = sqs.OpenDeadLetters(t.Context(), cfg, first.DeadLetters)
		require.ErrorContains(t, err, "no dead-letter queue")
	})
}

package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/policy"
)

func TestOf(t *testing.T) {
	w := policy.Where{Region: "eu-central-1", Account: "123456789012", Queues: []string{"ramify_*"}, Queue: "fleet", Table: "runs", Secrets: []string{"arn:aws:secretsmanager:eu-central-1:123456789012:secret:key-AbCdEf"}}
	d, err := policy.Of("enqueue", w, policy.Options{Existing: true})
	require.NoError(t, err)
	assert.Equal(t, policy.Document{Version: "2012-10-17", Statement: []policy.Statement{
		{Sid: "Send", Effect: "Allow", Action: []string{"sqs:GetQueueUrl", "sqs:SendMessage"}, Resource: []string{"arn:aws:sqs:eu-central-1:123456789012:ramify_*"}},
		{Sid: "SigningKey", Effect: "Allow", Action: []string{"secretsmanager:GetSecretValue"}, Resource: w.Secrets},
	}}, d)
	d, err = policy.Of("seed", policy.Where{Region: "cn-north-1", Account: "123456789012", Queue: "fleet", Table: "runs"}, policy.Options{})
	require.NoError(t, err)
	assert.Equal(t, []string{"arn:aws-cn:dynamodb:cn-north-1:123456789012:table/runs"}, d.Statement[1].Resource)
	_, err = policy.Of("root", w, policy.Options{})
	require.ErrorContains(t, err, `role is "root", want one of enqueue, worker, idle-queues, seed, serve, cron, task`)
}

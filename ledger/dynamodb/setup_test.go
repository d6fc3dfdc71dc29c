package dynamodb_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger/dynamodb"
)

func TestCreateIsRepeatable(t *testing.T) {
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			config, name := s.table(t)
			setUp(t, config, dynamodb.Table{Name: name})
			client := sdk.NewFromConfig(config)
			made, err := client.DescribeTable(t.Context(), &sdk.DescribeTableInput{TableName: &name})
			require.NoError(t, err)
			assert.Equal(t, types.TableStatusActive, made.Table.TableStatus)
			assert.Equal(t, types.BillingModePayPerRequest, made.Table.BillingModeSummary.BillingMode)
			ttl, err := client.DescribeTimeToLive(t.Context(), &sdk.DescribeTimeToLiveInput{TableName: &name})
			require.NoError(t, err)
			assert.Equal(t, types.TimeToLiveStatusEnabled, ttl.TimeToLiveDescription.TimeToLiveStatus)
			assert.Equal(t, "ttl", aws.ToString(ttl.TimeToLiveDescription.AttributeName))
		})
	}
}

// An answer that is lost is asked for again, of a server that has acted.
func TestCreateWhereAnswersAreLost(t *testing.T) {
	config := local.config(t)
	lost := map[string]bool{}
	config.HTTPClient = through(func(t http.RoundTripper, r *http.Request) (*http.Response, error) {
		resp, err := t.RoundTrip(r)
		if operation := r.Header.Get("X-Amz-Target"); err == nil && !lost[operation] {
			lost[operation] = true
			resp.Body.Close()
			return nil, io.ErrUnexpectedEOF
		}
		return resp, err
	})
	setUp(t, config, dynamodb.Table{Name: fmt.Sprintf("unanswered-%d", tables.Add(1))})
	assert.True(t, lost["DynamoDB_20120810.CreateTable"])
	assert.True(t, lost["DynamoDB_20120810.UpdateTimeToLive"])
}

func TestCreateRefusesATableOfAnother(t *testing.T) {
	config, name := local.config(t), fmt.Sprintf("another-%d", tables.Add(1))
	_, err := sdk.NewFromConfig(config).CreateTable(t.Context(), &sdk.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}},
	})
	require.NoError(t, err)
	err = dynamodb.Create(t.Context(), config, dynamodb.Table{Name: name})
	assert.ErrorContains(t, err, "set up ledger in DynamoDB table "+name+` of us-east-1: it has no index "listing" on "ls" and "at": name another table`)
}

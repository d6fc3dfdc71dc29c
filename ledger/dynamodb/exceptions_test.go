package dynamodb_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/emulator"
	"github.com/ramify/ramify/ledger/dynamodb"
)

// features are what the contract and the other tests do not ask for. Where an
// emulator lacks one, emulator.Exceptions says why.
var features = map[string]func(context.Context, aws.Config, string) (bool, error){
	"point-in-time recovery": func(ctx context.Context, config aws.Config, table string) (bool, error) {
		if err := dynamodb.Create(ctx, config, dynamodb.Table{Name: table, Recovery: true}); err != nil {
			return false, err
		}
		out, err := sdk.NewFromConfig(config).DescribeContinuousBackups(ctx, &sdk.DescribeContinuousBackupsInput{TableName: &table})
		if err != nil {
			return false, err
		}
		return out.ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus == "ENABLED", nil
	},
	"a key of AWS KMS": func(ctx context.Context, config aws.Config, table string) (bool, error) {
		const key = "arn:aws:kms:us-east-1:000000000000:key/12345678-1234-1234-1234-123456789012"
		if err := dynamodb.Create(ctx, config, dynamodb.Table{Name: table, Key: key}); err != nil {
			return false, err
		}
		out, err := sdk.NewFromConfig(config).DescribeTable(ctx, &sdk.DescribeTableInput{TableName: &table})
		if err != nil {
			return false, err
		}
		return out.Table.SSEDescription != nil && aws.ToString(out.Table.SSEDescription.KMSMasterKeyArn) == key, nil
	},
}

// An exception that is no longer needed fails, as does a feature without one.
func TestExceptionsAreNeeded(t *testing.T) {
	for name := range emulator.Exceptions[local.name] {
		assert.Contains(t, features, name, "an exception that no test needs")
	}
	for _, s := range servers {
		for name, works := range features {
			t.Run(s.name+"/"+name, func(t *testing.T) {
				ok, err := works(t.Context(), s.config(t), fmt.Sprintf("feature-%d", tables.Add(1)))
				reason, excused := emulator.Exceptions[s.name][name]
				if excused {
					assert.False(t, ok, "it works: drop the exception, which said that %s", reason)
					return
				}
				require.NoError(t, err)
				assert.True(t, ok)
			})
		}
	}
}

package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Table is what Create makes. Every table is encrypted at rest, by a key that
// AWS owns unless another is named.
type Table struct {
	Name     string
	Key      string // of AWS KMS: id, ARN or alias
	Recovery bool   // point-in-time recovery, charged by size
}

// creation is how long a table may take to be made.
const creation = 5 * time.Minute

// Create makes the table of a ledger where there is none: on demand, keys
// hashed, TTL on. It returns when the table can be used. Where the table is
// there it checks its keys, and turns on what is off; it deletes nothing.
//
// Source: Amazon DynamoDB API Reference, "CreateTable", "UpdateTimeToLive" and
// "UpdateContinuousBackups".
func Create(ctx context.Context, config aws.Config, t Table) error {
	client := sdk.NewFromConfig(config, func(o *sdk.Options) { o.Retryer = newRetryer() })
	err := t.create(ctx, client)
	if err == nil {
		err = t.expire(ctx, client)
	}
	if err == nil && t.Recovery {
		_, err = client.UpdateContinuousBackups(ctx, &sdk.UpdateContinuousBackupsInput{
			TableName:                        &t.Name,
			PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(true)},
		})
	}
	return explain("set up ledger", t.Name, config.Region, err)
}

func (t Table) create(ctx context.Context, client *sdk.Client) error {
	in := &sdk.CreateTableInput{
		TableName: &t.Name, BillingMode: types.BillingModePayPerRequest,
		KeySchema: keys(partition),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String(listing), KeySchema: keys(listed, order),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}},
	}
	for _, name := range []string{partition, listed, order} {
		in.AttributeDefinitions = append(in.AttributeDefinitions,
			types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: types.ScalarAttributeTypeS})
	}
	if t.Key != "" {
		in.SSESpecification = &types.SSESpecification{Enabled: aws.Bool(true), SSEType: types.SSETypeKms, KMSMasterKeyId: &t.Key}
	}
	_, err := client.CreateTable(ctx, in)
	var taken *types.ResourceInUseException
	if err != nil && !errors.As(err, &taken) {
		return err
	}
	wait := sdk.NewTableExistsWaiter(describes(client.DescribeTable), func(o *sdk.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 200*time.Millisecond, 5*time.Second
	})
	out, err := wait.WaitForOutput(ctx, &sdk.DescribeTableInput{TableName: &t.Name}, creation)
	if err != nil {
		return err
	}
	return suits(out.Table)
}

func keys(names ...string) (s []types.KeySchemaElement) {
	kind := types.KeyTypeHash
	for _, n := range names {
		s = append(s, types.KeySchemaElement{AttributeName: aws.String(n), KeyType: kind})
		kind = types.KeyTypeRange
	}
	return s
}

// suits checks that a table which may have been there is a ledger's.
func suits(t *types.TableDescription) error {
	if !same(t.KeySchema, keys(partition)) {
		return fmt.Errorf("its key is not the text %q alone: name another table", partition)
	}
	for _, i := range t.GlobalSecondaryIndexes {
		if aws.ToString(i.IndexName) == listing && same(i.KeySchema, keys(listed, order)) {
			return nil
		}
	}
	return fmt.Errorf("it has no index %q on %q and %q: name another table", listing, listed, order)
}

func same(a, b []types.KeySchemaElement) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if aws.ToString(a[i].AttributeName) != aws.ToString(b[i].AttributeName) || a[i].KeyType != b[i].KeyType {
			return false
		}
	}
	return true
}

// expire turns TTL on. To do so twice is an error, so it looks first, and again
// where that is refused: an answer was lost, or somebody else was quicker.
func (t Table) expire(ctx context.Context, client *sdk.Client) error {
	on, err := t.expires(ctx, client)
	if err != nil || on {
		return err
	}
	_, err = client.UpdateTimeToLive(ctx, &sdk.UpdateTimeToLiveInput{
		TableName:               &t.Name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String(expiresAt), Enabled: aws.Bool(true)},
	})
	if err == nil {
		return nil
	}
	if on, again := t.expires(ctx, client); again == nil && on {
		return nil
	}
	return err
}

// expires reports whether TTL is on, or being turned on.
func (t Table) expires(ctx context.Context, client *sdk.Client) (bool, error) {
	now, err := client.DescribeTimeToLive(ctx, &sdk.DescribeTimeToLiveInput{TableName: &t.Name})
	if err != nil || now.TimeToLiveDescription == nil {
		return false, err
	}
	status := now.TimeToLiveDescription.TimeToLiveStatus
	return status == types.TimeToLiveStatusEnabled || status == types.TimeToLiveStatusEnabling, nil
}

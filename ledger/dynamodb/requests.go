package dynamodb

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// requests are those that a ledger makes, as functions of the SDK's client: a pointer
// to it, which can be reached by reflection, would have the linker keep all of its
// sixty, a megabyte of the binary.
type requests struct {
	PutItem      func(context.Context, *sdk.PutItemInput, ...func(*sdk.Options)) (*sdk.PutItemOutput, error)
	UpdateItem   func(context.Context, *sdk.UpdateItemInput, ...func(*sdk.Options)) (*sdk.UpdateItemOutput, error)
	GetItem      func(context.Context, *sdk.GetItemInput, ...func(*sdk.Options)) (*sdk.GetItemOutput, error)
	BatchGetItem func(context.Context, *sdk.BatchGetItemInput, ...func(*sdk.Options)) (*sdk.BatchGetItemOutput, error)
	Query        queries
}

func requestsOf(c *sdk.Client) requests {
	return requests{c.PutItem, c.UpdateItem, c.GetItem, c.BatchGetItem, c.Query}
}

// queries is a client for the SDK's pages.
type queries func(context.Context, *sdk.QueryInput, ...func(*sdk.Options)) (*sdk.QueryOutput, error)

// Query implements sdk.QueryAPIClient.
func (q queries) Query(ctx context.Context, in *sdk.QueryInput, o ...func(*sdk.Options)) (*sdk.QueryOutput, error) {
	return q(ctx, in, o...)
}

// describes is a client for the SDK's waiter.
type describes func(context.Context, *sdk.DescribeTableInput, ...func(*sdk.Options)) (*sdk.DescribeTableOutput, error)

// DescribeTable implements sdk.DescribeTableAPIClient.
func (d describes) DescribeTable(ctx context.Context, in *sdk.DescribeTableInput, o ...func(*sdk.Options)) (*sdk.DescribeTableOutput, error) {
	return d(ctx, in, o...)
}

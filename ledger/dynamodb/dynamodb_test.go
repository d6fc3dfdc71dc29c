package dynamodb_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/internal/emulator/dynamodblocal"
	"github.com/ramify/ramify/internal/emulator/ministack"
	"github.com/ramify/ramify/ledger/dynamodb"
)

// server is an emulator that starts when the first test asks for it.
type server struct {
	name string
	url  func(testing.TB) string
}

var (
	local   = &server{"DynamoDB Local", dynamodblocal.URL}
	stack   = &server{"ministack", ministack.URL}
	servers = []*server{local, stack}
)

func TestMain(m *testing.M) {
	flag.Parse()
	// The model's calls go to a server; with the default the suites take minutes.
	if f := flag.Lookup("rapid.checks"); f != nil && f.Value.String() == f.DefValue {
		_ = f.Value.Set("20")
	}
	code := m.Run()
	shared.CloseIdleConnections()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// config is how to reach a server, each by credentials of its own.
func (s *server) config(t testing.TB) aws.Config {
	t.Helper()
	url := s.url(t)
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: &url, HTTPClient: through(http.RoundTripper.RoundTrip),
		Credentials: credentials.NewStaticCredentialsProvider("ledger", "secret", ""),
	}
}

var tables atomic.Int64

// table makes an empty table.
func (s *server) table(t testing.TB) (aws.Config, string) {
	t.Helper()
	config, name := s.config(t), fmt.Sprintf("ledger-%d", tables.Add(1))
	setUp(t, config, dynamodb.Table{Name: name})
	return config, name
}

// setUp makes a table over a connection that does not outlive the call.
func setUp(t testing.TB, config aws.Config, table dynamodb.Table) {
	t.Helper()
	require.NoError(t, dynamodb.Create(context.Background(), config, table))
}

func (s *server) open(t testing.TB, o dynamodb.Options) *dynamodb.Ledger {
	t.Helper()
	config, name := s.table(t)
	// The ledger's own, of which no connection is idle for as long as a server keeps it, 75
	// seconds: where that ends just as it is used again, a request may be made twice.
	config.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.IdleConnTimeout = 10 * time.Second })
	l := dynamodb.New(config, name, o)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

package real_test

import (
	"crypto/rand"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/internal/emulator/dynamodblocal"
	"github.com/ramify/ramify/internal/emulator/elasticmq"
	"github.com/ramify/ramify/ledger/dynamodb"
	"github.com/ramify/ramify/proof/real"
	"github.com/ramify/ramify/proof/sim"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/queue/sqs"
)

func TestMain(m *testing.M) {
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_PROFILE", "AWS_REGION"} {
		if err := os.Unsetenv(name); err != nil {
			panic(err)
		}
	}
	// Most of a case is waiting: for leases, delays and long polls.
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	code := m.Run()
	shared.CloseIdleConnections()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// shared are the connections of all clients, so that none is left over.
var shared = &http.Transport{MaxIdleConnsPerHost: 100}

func config(url, key string) aws.Config {
	return aws.Config{Region: "us-east-1", BaseEndpoint: &url, HTTPClient: &http.Client{Transport: shared}, Credentials: credentials.NewStaticCredentialsProvider(key, "secret", "")}
}

// tempo is how much faster than in simulation all is: a lease of 2 s, the shortest that is
// extended in time on a busy machine.
const tempo = 15

// not are what a sample leaves out: what takes the engine minutes, whatever the tempo, and
// what would take a server minutes.
var not = []string{"pause", "lose", "maxreceive", "deep", "broad", "wide", "chain"}

// media are queues and a table, new and empty.
func media(t *testing.T, seed uint64) sim.Media {
	t.Helper()
	mq, db := config(elasticmq.URL(t), "ramify"), config(dynamodblocal.URL(t), "proof")
	name := "proof-" + rand.Text()
	require.NoError(t, dynamodb.Create(t.Context(), db, dynamodb.Table{Name: name}))
	l := dynamodb.New(db, name, dynamodb.Options{})
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	created, err := sqs.Create(t.Context(), mq, name, sqs.Settings{})
	require.NoError(t, err)
	main, err := sqs.Open(t.Context(), mq, created.URL)
	require.NoError(t, err)
	dead, err := sqs.OpenDeadLetters(t.Context(), mq, created.URL)
	require.NoError(t, err)
	for _, q := range []queue.Queue{main, dead} {
		t.Cleanup(func() { require.NoError(t, q.Close()) })
	}
	return sim.Media{Main: real.New(main, seed), Dead: real.New(dead, seed+1), Ledger: l, Tempo: tempo, Rough: 30 * time.Second}
}

// The trees, the faults, the people and the auditor of the simulation, on DynamoDB's own
// conditions and a queue's own leases. A case is not the same each time that it is run: the
// servers have a time of their own.
func TestCasesOnServers(t *testing.T) {
	from, cases := 5, 5 // none of them waits long
	if os.Getenv("RAMIFY_SOAK") != "" {
		from, cases = 0, 120
	}
	if v := os.Getenv("RAMIFY_PROOF_FROM"); v != "" {
		n, err := strconv.Atoi(v)
		require.NoError(t, err)
		from = n
	}
	for i := range cases {
		c := sim.Draw(uint64(from + i))
		c.Off = slices.Clone(not)
		c.Nodes = min(c.Nodes, 25)
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			r := sim.RunOn(t, c, media(t, c.Seed))
			assert.Empty(t, r.Problems)
			if t.Failed() {
				r.Log.Print(t.Output(), 400)
			}
			t.Logf("%s after %s: %d nodes, %d events, %d kinds of things occurred", r.State.State, r.Took.Round(time.Second),
				r.State.Totals.Nodes, len(r.Log.Events()), len(slices.Collect(maps.Keys(r.Seen))))
		})
	}
}

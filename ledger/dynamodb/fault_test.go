package dynamodb_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/dynamodb"
	"github.com/ramify/ramify/ledger/ledgertest"
	"github.com/ramify/ramify/schema"
)

// through is a transport of requests to DynamoDB.
type through func(next http.RoundTripper, r *http.Request) (*http.Response, error)

// Do implements the SDK's client.
func (f through) Do(r *http.Request) (*http.Response, error) { return f(shared, r) }

// shared has its connections closed when the tests are over.
var shared = &http.Transport{MaxIdleConnsPerHost: 64}

// refuse is an answer that nothing was done.
func refuse(r *http.Request, status int, code string) *http.Response {
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body:   io.NopCloser(strings.NewReader(`{"__type":"com.amazonaws.dynamodb.v20120810#` + code + `","message":"no"}`)),
	}
}

// trouble is what a request may meet, all of it to be retried: first what acts on
// nothing, last the loss of an answer.
var trouble = []func(next http.RoundTripper, r *http.Request) (*http.Response, error){
	func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
		return refuse(r, 400, "ProvisionedThroughputExceededException"), nil
	},
	func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
		return refuse(r, 400, "ThrottlingException"), nil
	},
	func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
		return refuse(r, 400, "RequestLimitExceeded"), nil
	},
	func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
		return refuse(r, 500, "InternalServerError"), nil
	},
	func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
		return refuse(r, 503, "ServiceUnavailable"), nil
	},
	lose,
	lose,
}

// lose has a request act, and drops the answer.
func lose(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	out, err := next.RoundTrip(r)
	if err == nil {
		_, _ = io.Copy(io.Discard, out.Body)
		out.Body.Close()
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}

func TestContractInTrouble(t *testing.T) {
	var met atomic.Int64
	t.Run("suite", func(t *testing.T) {
		ledgertest.Run(t, "*dynamodb.Ledger", ledgertest.Traits{Lossy: true}, func(t *testing.T) ledgertest.Store {
			config, table := local.table(t)
			config.HTTPClient = through(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
				if rand.Float64() < 0.03 {
					met.Add(1)
					return trouble[rand.IntN(len(trouble))](next, r)
				}
				return next.RoundTrip(r)
			})
			return dynamodb.New(config, table, dynamodb.Options{})
		})
	})
	assert.Positive(t, met.Load(), "requests in trouble")
	t.Logf("%d requests were in trouble", met.Load())
}

// Calls whose first answer is lost find their own trace.
func TestALostAnswerChangesNothing(t *testing.T) {
	config, table := local.table(t)
	var mu sync.Mutex
	lost := false
	config.HTTPClient = through(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		mu.Lock()
		first := !lost
		lost = true
		mu.Unlock()
		if first {
			return lose(next, r)
		}
		return next.RoundTrip(r)
	})
	again := func() { mu.Lock(); lost = false; mu.Unlock() }
	l := dynamodb.New(config, table, dynamodb.Options{})
	defer l.Close()
	ctx := t.Context()

	run := ledger.Run{ID: "run", State: ledger.Running}
	require.NoError(t, l.Create(ctx, run), "it was this call that made it")
	require.ErrorIs(t, l.Create(ctx, run), ledger.ErrExists)

	again()
	yes := true
	now, err := l.Amend(ctx, "run", ledger.Change{From: ledger.Running, State: ledger.Failed, Paused: &yes})
	require.NoError(t, err)
	assert.Equal(t, ledger.Failed, now.State)
	again()
	now, err = l.Amend(ctx, "run", ledger.Change{From: ledger.Failed, State: ledger.Running, NextEpoch: true})
	require.NoError(t, err)
	assert.Equal(t, 1, now.Epoch, "one redrive begins one epoch")

	again()
	_, won, err := l.Plan(ctx, fullPlan("run", 10))
	require.NoError(t, err)
	assert.True(t, won)

	again()
	leaf := ledger.Settlement{Run: "run", At: schema.Place{Parent: schema.PID{1}}, Account: schema.Account{Nodes: 1}}
	tally, o, err := l.Settle(ctx, leaf)
	require.NoError(t, err)
	assert.Equal(t, ledger.Already, o)
	assert.EqualValues(t, 1, tally.Sum.Nodes, "counted once")

	again()
	_, o, err = l.Settle(ctx, ledger.Settlement{Run: "run", Epoch: 1, Account: schema.Account{Nodes: 7}})
	require.NoError(t, err)
	assert.Equal(t, ledger.Won, o)
	now, err = l.Run(ctx, "run")
	require.NoError(t, err)
	assert.EqualValues(t, 7, now.Totals.Nodes, "counted once")
}

// DynamoDB may answer part of a batch.
func TestReadAsksAgainForWhatIsLeft(t *testing.T) {
	config, table := local.table(t)
	requests := 0
	config.HTTPClient = through(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".BatchGetItem") {
			return next.RoundTrip(r)
		}
		requests++
		return half(t, next, r, table)
	})
	l := dynamodb.New(config, table, dynamodb.Options{})
	defer l.Close()
	var keys []ledger.Key
	for slot := range 130 {
		p := fullPlan("run", 2)
		p.PID[0] = byte(slot)
		_, _, err := l.Plan(t.Context(), p)
		require.NoError(t, err)
		keys = append(keys, ledger.Key{PID: p.PID})
	}
	records, err := l.Read(t.Context(), keys)
	require.NoError(t, err)
	for i, r := range records {
		require.NotNil(t, r.Plan, i)
		require.Equal(t, keys[i].PID, r.Plan.PID)
	}
	assert.Greater(t, requests, 4)
}

// half passes on half of a batch, and says that the rest was not processed.
func half(t *testing.T, next http.RoundTripper, r *http.Request, table string) (*http.Response, error) {
	var in, out map[string]any
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	asked := in["RequestItems"].(map[string]any)[table].(map[string]any)
	all := asked["Keys"].([]any)
	asked["Keys"] = all[:(len(all)+1)/2]
	send := func(v any) []byte {
		b, err := json.Marshal(v)
		assert.NoError(t, err)
		return b
	}
	body := send(in)
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	answer, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		return nil, err
	}
	if rest := all[(len(all)+1)/2:]; len(rest) > 0 {
		out["UnprocessedKeys"] = map[string]any{table: map[string]any{"Keys": rest, "ConsistentRead": true}}
	}
	body = send(out)
	answer.Header.Del("X-Amz-Crc32")
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return answer, nil
}

// A processor may count what others tell it; DynamoDB keeps more digits than an
// int64 has, and the nearest one is read.
func TestSumsBeyondAnInt64(t *testing.T) {
	for _, s := range servers {
		l := s.open(t, dynamodb.Options{})
		for slot := range 4 {
			tally, _, err := l.Settle(t.Context(), ledger.Settlement{
				Run: "run", At: schema.Place{Parent: schema.PID{1}, Slot: slot},
				Account: schema.Account{Nodes: 1, Objects: math.MinInt64, Bytes: math.MaxInt64},
			})
			require.NoError(t, err)
			assert.Equal(t, schema.Account{Nodes: int64(slot) + 1, Objects: math.MinInt64, Bytes: math.MaxInt64}, tally.Sum, s.name)
		}
	}
}

func TestErrorsSayTheWayOut(t *testing.T) {
	config := local.config(t)
	l := dynamodb.New(config, "nowhere", dynamodb.Options{})
	defer l.Close()
	_, err := l.Run(t.Context(), "run")
	require.Error(t, err)
	assert.True(t, dynamodb.Permanent(err))
	assert.Regexp(t, "^read run run in DynamoDB table nowhere of us-east-1: ResourceNotFoundException: .*; make it with `ramify setup`, or check RAMIFY_LEDGER and AWS_REGION$", err.Error())
	assert.NotContains(t, err.Error(), "\n")

	for code, hint := range map[string]string{
		"AccessDeniedException":       "allow dynamodb:PutItem, UpdateItem, GetItem, BatchGetItem and Query on arn:aws:dynamodb:us-east-1:*:table/t and its index/* to these credentials",
		"UnrecognizedClientException": "check AWS_ACCESS_KEY_ID or the profile, and AWS_REGION",
		"ExpiredTokenException":       "renew the credentials",
	} {
		requests := 0
		config.HTTPClient = through(func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
			requests++
			return refuse(r, 400, code), nil
		})
		l := dynamodb.New(config, "t", dynamodb.Options{})
		_, _, err := l.Settle(t.Context(), ledger.Settlement{Run: "run", At: schema.Place{Parent: schema.PID{1}}})
		require.ErrorContains(t, err, " in DynamoDB table t of us-east-1: "+code+": no; "+hint)
		assert.Equal(t, 1, requests, "what no retry mends is not retried")
		require.NoError(t, l.Close())
	}

	config.HTTPClient, config.Region = nil, ""
	config.BaseEndpoint = nil
	l = dynamodb.New(config, "t", dynamodb.Options{})
	defer l.Close()
	_, err = l.Run(t.Context(), "run")
	assert.ErrorContains(t, err, "read run run in DynamoDB table t: no region; set AWS_REGION")
}

// Throttling is retried as long as the caller's context lasts, and not longer.
func TestAContextEndsRetries(t *testing.T) {
	config := local.config(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	requests := 0
	config.HTTPClient = through(func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
		if requests++; requests == 3 {
			cancel(errors.New("drained"))
		}
		return refuse(r, 400, "ThrottlingException"), nil
	})
	l := dynamodb.New(config, "t", dynamodb.Options{})
	defer l.Close()
	_, err := l.Run(ctx, "run")
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 3, requests)
	assert.False(t, dynamodb.Permanent(err))
}

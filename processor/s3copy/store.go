package s3copy

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"github.com/ramify/ramify/internal/pace"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/s3client"
)

// attemptTime is for one attempt. S3 answers a CopyObject of 5 GiB, or of a part
// as large, when it has copied them.
const attemptTime = 15 * time.Minute

// patience is how often a request begins anew that was refused, attempt by
// attempt, because there were too many: the pace has found what the bucket bears
// long before.
const patience = 10

// store is S3 as one account sees it. Requests are paced for each bucket.
type store struct {
	s3   *s3client.Client
	pace *pace.Pacer
	list *s3crawl.Client
	same bool // the source's store, by whatever endpoint: its buckets are the source's
}

func newStore(cfg aws.Config, endpoint string, slots int) *store {
	c := s3client.Make(cfg, s3client.Options{Concurrency: slots, Attempt: attemptTime, Endpoint: endpoint})
	return &store{s3: c, pace: pace.New(0), list: s3crawl.On(c)}
}

// stores are those of a process, by whose they are.
type stores struct {
	slots int

	mu  sync.Mutex
	all map[s3client.Account]*store
}

// of is the store of an account; "" is what the environment says.
func (s *stores) of(ctx context.Context, a s3client.Account) (*store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.all[a]; st != nil {
		return st, nil
	}
	cfg, err := s3client.LoadAccount(ctx, a)
	if err != nil {
		return nil, err
	}
	if s.all == nil {
		s.all = map[s3client.Account]*store{}
	}
	st := newStore(cfg, a.Endpoint, cmp.Or(s.slots, defaultSlots))
	if source := s.all[s3client.Account{}]; source != nil {
		st.same = sameStore(ctx, source.s3.Endpoint(), st.s3.Endpoint())
	}
	s.all[a] = st
	return st, nil
}

// request is one on its way, found by the middleware in its context.
type request struct {
	bucket          string
	sent, throttled int64
}

type requestKey struct{}

// ask makes a request of a bucket, and counts it by its name, in all its attempts.
// What is refused because there is too much of it is asked again.
func ask[T any](ctx context.Context, st *store, name, bucket string, count func(string, int64), call func(ctx context.Context, opts ...func(*s3.Options)) (T, error)) (out T, err error) {
	for range patience {
		r := &request{bucket: bucket}
		err = st.s3.Ask(bucket, func(region func(*s3.Options)) (err error) {
			out, err = call(context.WithValue(ctx, requestKey{}, r), st.wired, region)
			return err
		})
		count(name, r.sent)
		if r.throttled > 0 {
			count("throttled", r.throttled)
		}
		if err == nil || ctx.Err() != nil || !s3client.Throttles(err) {
			break
		}
	}
	return out, err
}

// wired has each attempt wait for its turn.
func (st *store) wired(o *s3.Options) {
	// Content has digests of its own, or is not ours to check.
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	o.APIOptions = append(o.APIOptions, st.paced)
}

func (st *store) paced(s *middleware.Stack) error {
	return s.Finalize.Insert(middleware.FinalizeMiddlewareFunc("PaceCopy", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		r, ok := ctx.Value(requestKey{}).(*request)
		if !ok {
			return next.HandleFinalize(ctx, in)
		}
		turn, err := st.pace.Wait(ctx, r.bucket)
		if err != nil {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, err
		}
		r.sent++
		out, meta, err := next.HandleFinalize(ctx, in)
		verdict := pace.Judge(err, s3client.Throttles)
		if verdict == pace.TooFast {
			r.throttled++
		}
		turn.Done(verdict)
		return out, meta, err
	}), "Retry", middleware.After)
}

// Check says in one line what would keep a copy from working: the destination
// cannot be listed, or the credentials are none. It makes one LIST.
func (p *Processor) Check(ctx context.Context, o Order) error {
	st, err := p.stores.of(ctx, o.account())
	if err != nil {
		return err
	}
	bucket, prefix, err := s3crawl.ParseURL(o.To)
	if err != nil {
		return err
	}
	if err := st.list.Check(ctx, s3crawl.Query{Bucket: bucket, Prefix: prefix}); err != nil {
		return fmt.Errorf("destination: %w", err)
	}
	return nil
}

func (o *Order) account() s3client.Account {
	return s3client.Account{Profile: o.Profile, Region: o.Region, Endpoint: o.Endpoint}
}

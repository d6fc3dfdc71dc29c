package app

import (
	"context"
	"encoding/json"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/processor/graph"
	"github.com/ramify/ramify/processor/s3copy"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/processor/s3objects"
)

// endpointParam is the endpoint that a crawl was begun against, "" being AWS. It
// is kept with the run: in another place a bucket of that name is another's, and
// what was listed so far and what comes then would be two halves of nothing.
const endpointParam = "endpoint"

// endpoint is what to keep with a run of where it is made. The server of a
// demonstration is a new one each time.
func (w *work) endpoint() map[string]string {
	if w.s3 == nil || w.demo() {
		return nil
	}
	return map[string]string{endpointParam: w.s3.Endpoint()}
}

func (w *work) demo() bool {
	_, is := w.params[demoParam]
	return is
}

// checkAccess looks whether a bucket can be listed, by one LIST.
func (w *work) checkAccess(ctx context.Context, bucket, prefix string, versions bool) error {
	return w.client.Check(ctx, s3crawl.Query{Bucket: bucket, Prefix: prefix, Versions: versions})
}

// checkRun looks whether a run can go on where its root is a crawl or a vertex: without
// access, or another list of edges, its nodes would be given up one by one.
func (w *work) checkRun(ctx context.Context, r ledger.Run) error {
	if r.Root.Kind == graph.Kind {
		return w.checkWalk(ctx, r)
	}
	var args struct{ Bucket, Prefix string }
	_ = json.Unmarshal(r.Root.Args, &args) // what is wrong with them, the crawl says best
	if r.Root.Kind != s3crawl.Kind && r.Root.Kind != s3objects.Kind && r.Root.Kind != s3copy.Kind || args.Bucket == "" {
		return nil
	}
	if r.Root.Kind == s3copy.Kind {
		if err := w.checkCopy(ctx, r.Root.Args); err != nil {
			return err
		}
	}
	return w.checkAccess(ctx, args.Bucket, args.Prefix, r.Options.Params[listing.ParamVersions] == "true")
}

// checkEndpoint refuses to go on against another endpoint than the run's.
func (w *work) checkEndpoint(r ledger.Run) error {
	began, known := r.Options.Params[endpointParam]
	if w.s3 == nil || !known || began == w.s3.Endpoint() {
		return nil
	}
	way := "set AWS_ENDPOINT_URL_S3=" + began
	if began == "" {
		way = "unset AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL and endpoint_url of the profile"
	}
	return usagef("run %s began against %s, and the endpoint is now %s: %s, or give --moved if it is the same store at another address",
		r.ID, place(began), place(w.s3.Endpoint()), way)
}

func place(endpoint string) string {
	if endpoint == "" {
		return "AWS"
	}
	return endpoint
}

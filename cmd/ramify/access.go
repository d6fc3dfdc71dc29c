package main

import (
	"context"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor/s3crawl"
)

// endpointParam is the endpoint that a crawl was begun against, "" being AWS. It
// is kept with the run: in another place a bucket of that name is another's, and
// what was listed so far and what comes then would be two halves of nothing.
const endpointParam = "endpoint"

// endpoint is what to keep with a run of where it is made. The server of a
// demonstration is a new one each time.
func (w *work) endpoint() map[string]string {
	if w.client == nil || w.demo() {
		return nil
	}
	return map[string]string{endpointParam: w.client.Endpoint()}
}

func (w *work) demo() bool {
	_, is := w.params[demoParam]
	return is
}

// checkAccess looks whether a crawl can list, by one LIST.
func (w *work) checkAccess(ctx context.Context, tgt target, versions bool) error {
	if w.client == nil || tgt.bucket == "" {
		return nil
	}
	return w.client.Check(ctx, s3crawl.Query{Bucket: tgt.bucket, Prefix: tgt.prefix, Versions: versions})
}

// checkEndpoint refuses to go on against another endpoint than the run's.
func (w *work) checkEndpoint(r ledger.Run) error {
	began, known := r.Options.Params[endpointParam]
	if w.client == nil || !known || began == w.client.Endpoint() {
		return nil
	}
	way := "set AWS_ENDPOINT_URL_S3=" + began
	if began == "" {
		way = "unset AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL and endpoint_url of the profile"
	}
	return usagef("run %s began against %s, and the endpoint is now %s: %s, or give --moved if it is the same store at another address",
		r.ID, place(began), place(w.client.Endpoint()), way)
}

func place(endpoint string) string {
	if endpoint == "" {
		return "AWS"
	}
	return endpoint
}

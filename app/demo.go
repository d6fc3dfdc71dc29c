package app

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
)

type demoCmd struct {
	Dir     string        `arg:"" optional:"" help:"Folder to walk; without one, 20,000 keys of a Debian mirror." type:"path"`
	Latency time.Duration `help:"That the server takes for each request." default:"10ms"`
	runFlags
}

// demoBucket is the name of the bucket that a demonstration walks.
const demoBucket = "demo"

// Run implements the command.
func (c *demoCmd) Run(ctx context.Context, g *cli, std streams) error {
	tgt, err := parseTarget("s3://"+demoBucket+"/", c.Node)
	if err != nil {
		return err
	}
	w := newWork(g, std, c.JSON)
	w.params = map[string]string{demoParam: c.Dir, demoLatency: c.Latency.String()}
	stop, err := w.serveDemo(w.params, c.Concurrency)
	if err != nil {
		return err
	}
	defer stop()
	return c.begin(ctx, w, tgt)
}

// What is kept with a run that is a demonstration: whoever goes on with it
// starts its server again, and does not ask AWS for a bucket of that name.
const (
	demoParam   = "demo" // the folder; empty: the sample
	demoLatency = "latency"
)

// serveDemo starts the server of a demonstration, if the parameters are of one.
func (w *work) serveDemo(params map[string]string, concurrency int) (stop func(), err error) {
	dir, is := params[demoParam]
	if !is {
		return func() {}, nil
	}
	latency, err := time.ParseDuration(params[demoLatency])
	if err != nil {
		return nil, fmt.Errorf("read latency of the demonstration: %w", err)
	}
	listing, what, err := demoListing(dir)
	if err != nil {
		return nil, err
	}
	server, err := s3serve.Start(s3serve.New(s3serve.Options{
		Buckets: map[string]*s3serve.Listing{demoBucket: listing}, Latency: latency,
	}))
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(w.std.err, "serving %d files of %s as s3://%s/ on %s\n", listing.Len(), console.Clean(what), demoBucket, server.URL())
	w.s3 = s3client.FromConfig(aws.Config{
		Region: s3serve.DefaultRegion, BaseEndpoint: aws.String(server.URL()), Credentials: anyone{},
	}, concurrency)
	return func() { _ = server.Close() }, nil // it served only us
}

func demoListing(dir string) (*s3serve.Listing, string, error) {
	if dir != "" {
		l, err := s3serve.Tree(dir)
		return l, filepath.Clean(dir), err
	}
	keys, err := sample.Keys()
	if err != nil {
		return nil, "", err
	}
	l, err := s3serve.Keys(strings.NewReader(strings.Join(keys, "\n")))
	return l, "a Debian mirror", err
}

// anyone is the credentials for a server that checks none.
type anyone struct{}

func (anyone) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "demo", SecretAccessKey: "demo", Source: "demo"}, nil
}

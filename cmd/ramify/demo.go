package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ramify/ramify/processor/s3crawl"
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
	listing, what, err := c.listing()
	if err != nil {
		return err
	}
	server, err := s3serve.Start(s3serve.New(s3serve.Options{
		Buckets: map[string]*s3serve.Listing{demoBucket: listing}, Latency: c.Latency,
	}))
	if err != nil {
		return err
	}
	defer server.Close() //nolint:errcheck // it served only us
	fmt.Fprintf(std.err, "serving %d files of %s as s3://%s/ on %s\n", listing.Len(), what, demoBucket, server.URL())
	tgt, err := parseTarget("s3://"+demoBucket+"/", c.Node)
	if err != nil {
		return err
	}
	w := newWork(g, std, c.JSON)
	w.client = s3crawl.FromConfig(aws.Config{
		Region: s3serve.DefaultRegion, BaseEndpoint: aws.String(server.URL()), Credentials: anyone{},
	}, c.Concurrency)
	return c.begin(ctx, w, tgt)
}

func (c *demoCmd) listing() (*s3serve.Listing, string, error) {
	if c.Dir != "" {
		l, err := s3serve.Tree(c.Dir)
		return l, filepath.Clean(c.Dir), err
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

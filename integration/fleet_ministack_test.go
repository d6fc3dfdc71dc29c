package integration

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ramify/ramify/internal/emulator/ministack"
)

// ministack is another SQS, another DynamoDB and another S3: a fleet has all three
// from it.
func TestFleetOnMinistack(t *testing.T) {
	t.Parallel()
	url := ministack.URL(t)
	f := newFleet(t, fleetSettings{direct: url, dynamodb: url, s3: url, env: []string{"RAMIFY_CONCURRENCY=8"}})
	buckets := s3.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider(f.key(), "secret", ""),
	}, func(o *s3.Options) { o.UsePathStyle = true })
	for _, name := range []string{bucket, results} {
		if _, err := buckets.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
			t.Fatal(err)
		}
	}
	// Every so many keys, so that a part has the shape of the whole.
	var keys []string
	for i := 0; i < len(f.depot.keys); i += 20 {
		keys = append(keys, f.depot.keys[i])
	}
	for i, k := range keys {
		in := &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &k, Body: strings.NewReader(strings.Repeat("x", i%97))}
		if _, err := buckets.PutObject(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	f.truth = fakeTruth(keys, "")
	f.made = func(t *testing.T, run string) map[string][]byte {
		t.Helper()
		files := map[string][]byte{}
		list, err := buckets.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(results), Prefix: aws.String(run + "/")})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range list.Contents {
			got, err := buckets.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(results), Key: o.Key})
			if err != nil {
				t.Fatal(err)
			}
			var data bytes.Buffer
			_, err = io.Copy(&data, got.Body)
			_ = got.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			files[strings.TrimPrefix(*o.Key, run+"/")] = data.Bytes()
		}
		return files
	}
	f.grow(t, 2)
	run := "ministack-" + f.name
	f.requireExact(t, run, f.awaitEnd(t, f.crawl(t, run)))
	f.drain(t)
	f.requireNoLetters(t)
}

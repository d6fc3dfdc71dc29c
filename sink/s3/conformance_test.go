package s3_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/internal/emulator/ministack"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sink/s3"
	"github.com/ramify/ramify/sink/sinktest"
)

func TestMain(m *testing.M) {
	// What a person has set for AWS must not reach the tests.
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_REGION"} {
		if err := os.Unsetenv(name); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// fakeS3 is a server in memory that we did not write.
func fakeS3(t testing.TB) string {
	server := httptest.NewServer(gofakes3.New(s3mem.New(), gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	t.Cleanup(server.Close)
	return server.URL
}

func config(t testing.TB, url string) aws.Config {
	// A server that outlives the test keeps no connection of it.
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 128
	t.Cleanup(transport.CloseIdleConnections)
	return aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: &url,
		HTTPClient:   &http.Client{Transport: transport},
		Credentials:  credentials.NewStaticCredentialsProvider("ramify", "secret", ""),
	}
}

// store is a bucket of a server.
type store struct {
	t      testing.TB
	cfg    aws.Config
	client *s3client.Client
	bucket string
}

func newStore(t testing.TB, url string) *store {
	s := &store{t: t, cfg: config(t, url), bucket: "ramify-" + strings.ToLower(rand.Text())}
	s.client = s3client.FromConfig(s.cfg, 16)
	_, err := s.client.API().CreateBucket(context.Background(), &awss3.CreateBucketInput{Bucket: &s.bucket})
	require.NoError(t, err)
	return s
}

// get is the content of an object.
func (s *store) get(key string) []byte {
	var content bytes.Buffer
	_, err := s.client.Get(context.Background(), s.bucket, key, &content, nil)
	require.NoError(s.t, err)
	return content.Bytes()
}

// keys are those of all objects below a prefix.
func (s *store) keys(prefix string) (keys []string) {
	pages := awss3.NewListObjectsV2Paginator(s.client.API(), &awss3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		require.NoError(s.t, err)
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
	}
	return keys
}

// rows are the keys in the files of the manifest, in their order.
func (s *store) rows(prefix string) (rows []string) {
	manifest := s.get(prefix + "/" + inventory.ManifestName)
	assert.Equal(s.t, md5Of(manifest), string(s.get(prefix+"/"+inventory.ChecksumName)))
	m, err := inventory.ParseManifest(manifest)
	require.NoError(s.t, err)
	assert.Equal(s.t, "arn:aws:s3:::"+s.bucket, m.DestinationBucket)
	for _, f := range m.Files {
		content := s.get(f.Key)
		assert.Len(s.t, content, int(f.Size))
		assert.Equal(s.t, f.MD5, md5Of(content), f.Key)
		for o, err := range m.Read(bytes.NewReader(content), f.Size) {
			require.NoError(s.t, err)
			rows = append(rows, o.Key)
		}
	}
	return rows
}

func (s *store) options(l inventory.Layout) s3.Options {
	return s3.Options{Config: s.cfg, URL: "s3://" + s.bucket + "/some/where", Run: "run", Layout: l, Bucket: "b"}
}

func (s *store) open(o s3.Options) *s3.Sink {
	made, err := s3.Open(context.Background(), o)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { assert.NoError(s.t, made.Close()) })
	return made
}

func row(l inventory.Layout, text string) []byte {
	return l.Append(nil, &inventory.Object{Bucket: "b", Key: text})
}

func subject(url string, l inventory.Layout, partSize int64, units int) sinktest.Subject {
	var mu sync.Mutex
	stores := map[string]*store{}
	at := func(t *testing.T, home string) *store {
		mu.Lock()
		defer mu.Unlock()
		// What is in the store outlives the crash of a task.
		name := strings.TrimRight(home, "+")
		if stores[name] == nil {
			stores[name] = newStore(t, url)
		}
		return stores[name]
	}
	return sinktest.Subject{
		Name: "*s3.Sink",
		Open: func(t *testing.T, home string) sink.Sink {
			s := at(t, home)
			o := s.options(l)
			o.PartSize = partSize
			return s.open(o)
		},
		Row:        func(text string) []byte { return row(l, text) },
		Rows:       func(t *testing.T, home string) []string { return at(t, home).rows("some/where/run") },
		SmallUnits: units,
		Follow: func(t *testing.T, home string) sink.Follower {
			f, err := s3.Follow(at(t, home).options(l).Config, at(t, home).options(l).URL, at(t, home).options(l).Run)
			require.NoError(t, err)
			return f
		},
	}
}

func TestContract(t *testing.T) {
	for f := inventory.Keys; f <= inventory.Parquet; f++ {
		t.Run(f.String(), func(t *testing.T) { sinktest.Run(t, subject(fakeS3(t), f.Layout(), 0, 1000)) })
	}
	t.Run("several files a unit", func(t *testing.T) {
		sinktest.Run(t, subject(fakeS3(t), inventory.Keys.Layout(), 64<<10, 1000))
	})
	t.Run("ministack", func(t *testing.T) {
		sinktest.Run(t, subject(ministack.URL(t), inventory.CSV.Layout(), 0, 300))
	})
}

//go:build unix

package s3crawl

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ramify/ramify/processor/s3crawl/listxml"
)

// cpuTime is the CPU that this process has used, in nanoseconds.
func cpuTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkPage is the CPU of one page of 1,000 keys from the call to decoded
// keys — signing, retries and a transport without a network included — by our
// decoder and by the SDK's.
func BenchmarkPage(b *testing.B) {
	body := benchmarkBody(pageKeys)
	client := clientOf(b, "http://bucket.invalid", func(cfg *aws.Config) {
		cfg.HTTPClient = doer(func(*http.Request) *http.Response {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}
		})
	})
	cpu := func(b *testing.B, one func() (int, error)) {
		b.ReportAllocs()
		begin := cpuTime(b)
		for b.Loop() {
			if n, err := one(); err != nil || n != pageKeys {
				b.Fatal(n, err)
			}
		}
		b.ReportMetric(float64(cpuTime(b)-begin)/float64(b.N), "cpu-ns/op")
	}
	b.Run("ours", func(b *testing.B) {
		cpu(b, func() (int, error) {
			pg, err := client.List(b.Context(), Query{Bucket: "b", ETags: true})
			n := len(pg.Objects)
			pg.Release()
			return n, err
		})
	})
	b.Run("sdk", func(b *testing.B) {
		var decoded listxml.Page
		in := &s3.ListObjectsV2Input{Bucket: aws.String("b"), MaxKeys: aws.Int32(pageKeys), EncodingType: types.EncodingTypeUrl}
		cpu(b, func() (int, error) {
			out, err := client.s3.API().ListObjectsV2(b.Context(), in) // no call in the context: the SDK's own decoder
			if err != nil {
				return 0, err
			}
			return len(out.Contents), fromSDK(out, &decoded)
		})
	})
}

func benchmarkBody(n int) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix></Prefix><NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken><KeyCount>` +
		strconv.Itoa(n) + `</KeyCount><MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>`)
	for i := range n {
		fmt.Fprintf(&b, `<Contents><Key>usr/share/doc/lib%04d/examples/some+words%%2Bmore.txt</Key><LastModified>2024-03-0%dT12:34:56.000Z</LastModified><ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>`, i, 1+i%9, i*i)
	}
	b.WriteString(`</ListBucketResult>`)
	return b.String()
}

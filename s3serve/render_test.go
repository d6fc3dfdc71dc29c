package s3serve

import (
	"net/http"
	"testing"
	"time"
)

// TestPageIsByteForByteAsFromAWS holds the answer against one taken down from
// the form of AWS's, for clients whose scanners expect it.
func TestPageIsByteForByteAsFromAWS(t *testing.T) {
	when := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	l, err := FromObjects([]Object{
		{Key: "p/a &\x01\uffff é+", Size: 7, LastModified: when, ETag: "0f"},
		{Key: "p/d d/x", Size: 1},
		{Key: "p/e", Size: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := New(Options{Buckets: map[string]*Listing{"b": l}})
	head := `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>`
	for target, want := range map[string]string{
		"/b?list-type=2&prefix=p%2F&delimiter=%2F&max-keys=2": head +
			`<Prefix>p/</Prefix><NextContinuationToken>` + string(appendToken(nil, []byte("p/d d/"))) + `</NextContinuationToken>` +
			`<KeyCount>2</KeyCount><MaxKeys>2</MaxKeys><Delimiter>/</Delimiter><IsTruncated>true</IsTruncated>` +
			`<Contents><Key>p/a &amp;&#x1;&#xffff; é+</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;0f&quot;</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>` +
			`<CommonPrefixes><Prefix>p/d d/</Prefix></CommonPrefixes></ListBucketResult>`,
		"/b?list-type=2&prefix=p%2F&delimiter=+&start-after=p%2F+&max-keys=1&encoding-type=url&fetch-owner=true": head +
			`<Prefix>p/</Prefix><StartAfter>p/+</StartAfter><NextContinuationToken>` + string(appendToken(nil, []byte("p/a "))) + `</NextContinuationToken>` +
			`<KeyCount>1</KeyCount><MaxKeys>1</MaxKeys><Delimiter>+</Delimiter><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>` +
			`<CommonPrefixes><Prefix>p/a+</Prefix></CommonPrefixes></ListBucketResult>`,
		"/b?list-type=2&max-keys=1&encoding-type=url": head +
			`<Prefix></Prefix><NextContinuationToken>` + string(appendToken(nil, []byte("p/a &\x01\uffff é+"))) + `</NextContinuationToken>` +
			`<KeyCount>1</KeyCount><MaxKeys>1</MaxKeys><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>` +
			`<Contents><Key>p/a+%26%01%EF%BF%BF+%C3%A9%2B</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;0f&quot;</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass></Contents></ListBucketResult>`,
		"/b?list-type=2&max-keys=0": head +
			`<Prefix></Prefix><KeyCount>0</KeyCount><MaxKeys>0</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>`,
		"/b?list-type=2&max-keys=5000&prefix=none": head +
			`<Prefix>none</Prefix><KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>`,
	} {
		if got := call(h, http.MethodGet, target).Body.String(); got != want {
			t.Errorf("%s:\n got %s\nwant %s", target, got, want)
		}
	}
}

package listxml

import (
	"errors"
	"strings"
	"testing"
)

// FuzzPage holds the decoder against encoding/xml: what that decodes, this
// decodes to the same or leaves in doubt; what that refuses, this does not take.
func FuzzPage(f *testing.F) {
	f.Add([]byte(plainPage(2)))
	f.Add([]byte("\ufeff<?xml version='1.0' encoding='US-ASCII'?>\r\n<!-- a --><s:ListVersionsResult xmlns:s='x'>\n\t<s:Version a=\">\"><s:Key>a<![CDATA[b]]>&#x1F332;</s:Key><s:VersionId>1</s:VersionId>\n</s:Version><s:DeleteMarker><s:Key/></s:DeleteMarker><s:IsTruncated>false</s:IsTruncated></s:ListVersionsResult>"))
	f.Add([]byte("<ListBucketResult><IsTruncated>true</IsTruncated>" + strings.Repeat("<Contents> <Key>a</Key><ETag>&#34;e&#34;</ETag><Owner>me<ID>1</ID></Owner><Size>7</Size><LastModified>2024-03-01T12:34:56.000Z</LastModified></Contents>\n", 3) + "</ListBucketResult>"))
	f.Add([]byte("<ListVersionsResult>" + strings.Repeat("<Version><Key>k</Key><VersionId>1</VersionId></Version><DeleteMarker><Key>k</Key><IsLatest>true</IsLatest></DeleteMarker>", 3) + "<EncodingType>url</EncodingType></ListVersionsResult>"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		given := string(doc)
		var got Page
		err := got.Decode(doc)
		if string(doc) != given {
			t.Fatal("the document was changed")
		}
		if errors.Is(err, ErrDoubt) {
			return
		}
		want, refused := reference(doc)
		var e *SyntaxError
		switch {
		case err != nil && !errors.As(err, &e):
			t.Fatalf("refused with %v", err)
		case err != nil && refused == nil, err != nil && errors.Is(refused, ErrDoubt):
			t.Fatalf("refused with %v, but encoding/xml decodes %+v, %v", err, want, refused)
		case err == nil && refused != nil:
			t.Fatalf("decoded to %+v, but encoding/xml says %v", got, refused)
		case err == nil:
			same(t, got, want)
		}
	})
}

package listxml

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ramify/ramify/inventory"
)

func wrap(inner string) string { return "<ListBucketResult>" + inner + "</ListBucketResult>" }

func keys(names ...string) (p Page) {
	for _, n := range names {
		p.Objects = append(p.Objects, inventory.Object{Key: n})
	}
	return p
}

// What is legal XML is read, in whatever layout.
func TestAwkwardDocuments(t *testing.T) {
	truncated := func(p Page, is bool) Page { p.IsTruncated, p.SaysTruncated = is, true; return p }
	counted := func(p Page, n int) Page { p.KeyCount, p.SaysKeyCount = n, true; return p }
	for name, test := range map[string]struct {
		doc  string
		want Page
	}{
		"nothing":                   {wrap(""), Page{}},
		"self-closed root":          {"<ListBucketResult/>", Page{}},
		"declaration, BOM, line":    {"\ufeff\n<?xml version='1.0' encoding=\"utf-8\" standalone='yes' ?>\n" + wrap("<Contents><Key>é</Key></Contents>"), keys("é")},
		"ASCII declared":            {`<?xml version="1.0" encoding="us-ascii"?>` + wrap("<Contents><Key>a</Key></Contents>"), keys("a")},
		"IsTruncated behind":        {wrap("<Contents><Key>a</Key></Contents><IsTruncated>true</IsTruncated>"), truncated(keys("a"), true)},
		"IsTruncated, spaced":       {wrap("<Contents><Key>a</Key></Contents><IsTruncated>\n\ttrue<!-- more -->\n</IsTruncated>"), truncated(keys("a"), true)},
		"KeyCount":                  {wrap("<KeyCount>007</KeyCount>"), counted(Page{}, 7)},
		"encoding behind":           {wrap("<Contents><Key>a%2Fb+c%2B</Key></Contents><EncodingType>url</EncodingType>"), keys("a/b c+")},
		"no encoding":               {wrap("<Contents><Key>a%2Fb+c</Key></Contents><EncodingType/>"), keys("a%2Fb+c")},
		"indented":                  {"\r\n<ListBucketResult>\r\n\t<Contents>\r\n\t\t<Key>a\r\nb\rc</Key>\r\n\t</Contents >\r\n</ListBucketResult >\r\n", keys("a\nb\nc")},
		"entities":                  {wrap("<Contents><Key>&lt;&gt;&amp;&apos;&quot;&#10;&#xA;&#x1F332;&#127794;&#13;&#0000000000000065;</Key></Contents>"), keys("<>&'\"\n\n🌲🌲\rA")},
		"CDATA":                     {wrap("<Contents><Key>a<![CDATA[<b>&amp;]]]]>c<![CDATA[]]></Key></Contents>"), keys("a<b>&amp;]]c")},
		"comments and instructions": {"<!-- a > b --><?pi <Key> ?>" + wrap("<!-- <Contents> --><Contents><Key>a<!-- b -->c<?d e?>f</Key><!----></Contents><?x?>") + "<!-- end -->", keys("acf")},
		"attributes":                {`<ListBucketResult xmlns="x" a='"/>' b = ">&lt;'" ><Contents a="b"><Key xml:lang='>'>k</Key></Contents></ListBucketResult>`, keys("k")},
		"prefixes of names":         {`<s3:ListBucketResult xmlns:s3="x"><s3:Contents><s3:Key>k</s3:Key></s3:Contents></s3:ListBucketResult>`, keys("k")},
		"nested keys do not count":  {wrap("<Contents><Owner><ID>1</ID><Key>no</Key></Owner><Key>yes</Key><New><Key>no</Key><Contents><Key/></Contents></New></Contents><Other><Contents><Key>no</Key></Contents><IsTruncated>true</IsTruncated></Other>"), keys("yes")},
		"empty key":                 {wrap("<Contents><Key/></Contents><Contents/><Contents><Key></Key></Contents>"), keys("", "", "")},
		"common prefixes": {
			wrap("<EncodingType>url</EncodingType><CommonPrefixes><Prefix>a%26/</Prefix></CommonPrefixes><CommonPrefixes><X/><Prefix >b/</Prefix></CommonPrefixes><Prefix>p</Prefix>"),
			Page{Prefixes: []string{"a&/", "b/"}},
		},
		"token": {wrap("<NextContinuationToken>1+/=%2F</NextContinuationToken><EncodingType>url</EncodingType>"), Page{NextToken: "1+/=%2F"}},
		"an object": {
			wrap(`<Contents><StorageClass>GLACIER</StorageClass><Size>5497558138880</Size><LastModified>2024-02-29T23:59:58.123Z</LastModified><ETag>&quot;abc-2&quot;</ETag><Key>k</Key><ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumAlgorithm>SHA1</ChecksumAlgorithm></Contents>`),
			Page{Objects: []inventory.Object{{Key: "k", Size: 5 << 40, ETag: "abc-2", StorageClass: "GLACIER", LastModified: time.Date(2024, 2, 29, 23, 59, 58, 123e6, time.UTC)}}},
		},
		"quotes of ETags": {
			wrap(`<Contents><ETag>"a"</ETag></Contents><Contents><ETag>&#34;b&#34;</ETag></Contents><Contents><ETag>&quot;c&#34;</ETag></Contents><Contents><ETag>d</ETag></Contents><Contents><ETag>&quot;&amp;&quot;</ETag></Contents><Contents><ETag>&quot;</ETag></Contents>`),
			Page{Objects: []inventory.Object{{ETag: "a"}, {ETag: "b"}, {ETag: "c"}, {ETag: "d"}, {ETag: "&"}, {}}},
		},
		"versions": {
			`<ListVersionsResult><EncodingType>url</EncodingType><NextKeyMarker>a%2Bb</NextKeyMarker><NextVersionIdMarker>v+2</NextVersionIdMarker><KeyCount>x</KeyCount>` +
				`<Version><Key>a%2Bb</Key><VersionId>v+1</VersionId><IsLatest>false</IsLatest><Size>1</Size></Version>` +
				`<DeleteMarker><Owner><ID/></Owner><Key>a%2Bb</Key><VersionId>null</VersionId><IsLatest>true</IsLatest></DeleteMarker>` +
				`<Contents><Key>no</Key></Contents></ListVersionsResult>`,
			Page{NextKeyMarker: "a+b", NextVersionIDMarker: "v+2", Objects: []inventory.Object{
				{Key: "a+b", VersionID: "v+1", Size: 1}, {Key: "a+b", VersionID: "null", IsLatest: true, IsDeleteMarker: true},
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got Page
			if err := got.Decode([]byte(test.doc)); err != nil {
				t.Fatalf("%v in %s", err, test.doc)
			}
			same(t, got, test.want)
		})
	}
}

func same(t *testing.T, got, want Page) {
	t.Helper()
	for _, p := range []*Page{&got, &want} {
		if len(p.Objects) == 0 {
			p.Objects = nil
		}
		if len(p.Prefixes) == 0 {
			p.Prefixes = nil
		}
	}
	want.UTF8 = true
	for _, o := range want.Objects {
		want.UTF8 = want.UTF8 && utf8.ValidString(o.Key)
	}
	for _, p := range want.Prefixes {
		want.UTF8 = want.UTF8 && utf8.ValidString(p)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

// What is legal but odd is left to another decoder.
func TestDoubts(t *testing.T) {
	for _, doc := range []string{
		`<?xml version="1.0" encoding="ISO-8859-1"?>` + wrap(""),
		`<?xml version="1.1"?>` + wrap(""),
		`<?xml version="1.0" encoding="US-ASCII"?>` + wrap("<Name>é</Name>"),
		`<!DOCTYPE a [<!ENTITY e "f">]>` + wrap("<Contents><Key>&e;</Key></Contents>"),
		"<Error><Code>InternalError</Code></Error>",
		"<html><body>Welcome", "text" + wrap(""), wrap("") + "text", wrap("") + wrap(""),
		wrap("text"), wrap("<![CDATA[text]]>"), wrap("<Contents>a<Key>b</Key></Contents>"),
		wrap("<Contents><Key>a</Key><Key>b</Key></Contents>"), wrap("<Contents><Key>a<b/></Key></Contents>"),
		wrap("<IsTruncated>true</IsTruncated><IsTruncated>false</IsTruncated>"),
		wrap("<IsTruncated>TRUE</IsTruncated>"), wrap("<isTruncated>true</isTruncated>"), wrap("<Contents><key>a</key></Contents>"),
		wrap("<CONTENTS/>"), wrap("<KeyCount>-1</KeyCount>"), wrap("<KeyCount>1e3</KeyCount>"), wrap("<KeyCount/>"),
		wrap("<EncodingType>base64</EncodingType>"), wrap("<EncodingType>url</EncodingType><Contents><Key>%zz</Key></Contents>"),
		wrap("<EncodingType>url</EncodingType><Contents><Key>a%2</Key></Contents>"),
		wrap("<Contents><Size> 5</Size></Contents>"), wrap("<Contents><Size>-5</Size></Contents>"),
		wrap("<Contents><LastModified>yesterday</LastModified></Contents>"), wrap("<Contents><LastModified/></Contents>"),
		wrap("<Contents><LastModified>2023-02-29T00:00:00Z</LastModified></Contents>"),
		wrap("<Contents><Key>&#xD800;</Key></Contents>"), wrap("<Contents><Key>\xff</Key></Contents>"), wrap("<Contents><Key>\x01</Key></Contents>"),
		wrap("<Contents><Key>\uffff</Key></Contents>"), wrap("<é/>"), wrap(strings.Repeat("<a>", 2000) + strings.Repeat("</a>", 2000)),
		"<ListVersionsResult><Version><IsLatest>maybe</IsLatest></Version></ListVersionsResult>",
	} {
		var p Page
		if err := p.Decode([]byte(doc)); !errors.Is(err, ErrDoubt) {
			t.Errorf("%.80s: got %+v, %v", doc, p, err)
		}
	}
}

// A document that is malformed, or cut anywhere, is no page.
func TestMalformed(t *testing.T) {
	whole := `<?xml version="1.0"?>` + wrap(`<IsTruncated>false</IsTruncated><Contents><Key>a&amp;b</Key><!-- c --><Owner x="y"><ID>1</ID></Owner></Contents>`)
	docs := []string{
		"", "  ", "<", wrap("<Contents><Key>&none;</Key></Contents>"), wrap("<Contents><Key>& b</Key></Contents>"), wrap("<Contents><Key>&#x1;</Key></Contents>"),
		wrap("<Contents><Key>&#;</Key></Contents>"), wrap("<Contents><Key>&#X41;</Key></Contents>"), wrap("<Contents><Key>&#x110000;</Key></Contents>"),
		wrap("<Contents><Key>a</Kez></Contents>"), wrap("<Contents><Key>a</Key2></Contents>"), wrap("<Contents></Key></Contents>"), wrap("<a:b></c:b>"),
		wrap("<a:b:c/>"), wrap("<1/>"), wrap("<a b/>"), wrap("<a b=c/>"), wrap("<a b='<'/>"), wrap("<a b='&c;'/>"), wrap("< a/>"), wrap("</a >"), wrap("<!-- a -- b -->"),
		wrap("<Contents><Key>]]></Key></Contents>"), wrap("<X>&none;</X>"), "</a>", wrap("") + "</ListBucketResult>",
	}
	for i := range len(whole) {
		docs = append(docs, whole[:i])
	}
	for _, doc := range docs {
		var p Page
		var e *SyntaxError
		err := p.Decode([]byte(doc))
		cutInDeclaration := len(doc) < 24 && errors.Is(err, ErrDoubt)
		if !errors.As(err, &e) && !cutInDeclaration || len(p.Objects) > 0 || p.SaysTruncated {
			t.Errorf("%.80s: got %+v, %v", doc, p, err)
		}
	}
}

func TestDateTimes(t *testing.T) {
	for text, want := range map[string]string{
		"2024-02-29T23:59:59.999Z":       "2024-02-29T23:59:59.999Z",
		"1970-01-01T00:00:00Z":           "1970-01-01T00:00:00Z",
		"0001-01-01T00:00:00Z":           "0001-01-01T00:00:00Z",
		"1969-12-31T23:59:59.5Z":         "1969-12-31T23:59:59.5Z",
		"2000-02-29T00:00:00.1234567Z":   "2000-02-29T00:00:00.123Z",
		"9999-12-31T23:59:59Z":           "9999-12-31T23:59:59Z",
		"2024-01-01T01:00:00+01:00":      "2024-01-01T00:00:00Z",
		"2024-01-01T01:00:00.25":         "2024-01-01T01:00:00.25Z",
		"2024-01-01T01:00:00.9876-00:30": "2024-01-01T01:30:00.987Z",
	} {
		got, ok := dateTime([]byte(text))
		if !ok || got.Format(time.RFC3339Nano) != want || got.Location() != time.UTC {
			t.Errorf("%s is %v %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "Z", "2024-02-30T00:00:00Z", "1900-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:00:60Z", "2024-01-01 00:00:00Z", "2024-01-01T00:00:00.Z", "202a-01-01T00:00:00Z"} {
		if got, ok := dateTime([]byte(text)); ok {
			t.Errorf("%s is %v", text, got)
		}
	}
	for at := time.Date(1890, 1, 1, 12, 0, 0, 0, time.UTC); at.Year() < 2110; at = at.AddDate(0, 0, 1) {
		if got, ok := zulu([]byte(at.Format(time.RFC3339))); !ok || !got.Equal(at) {
			t.Fatalf("%v is %v %v", at, got, ok)
		}
	}
}

// A page's memory is used again, and nothing of the last page shows.
func TestPageIsUsedAgain(t *testing.T) {
	var p Page
	doc := wrap("<IsTruncated>true</IsTruncated><KeyCount>2</KeyCount><NextContinuationToken>t</NextContinuationToken><Contents><Key>a</Key><ETag>e</ETag></Contents><CommonPrefixes><Prefix>p</Prefix></CommonPrefixes>")
	if err := p.Decode([]byte(doc)); err != nil {
		t.Fatal(err)
	}
	if err := p.Decode([]byte(wrap("<Contents><Key>b</Key></Contents>"))); err != nil {
		t.Fatal(err)
	}
	same(t, p, keys("b"))
}

// However long the page, it costs a handful of allocations.
func TestAllocations(t *testing.T) {
	body := []byte(plainPage(1000))
	var p Page
	if err := p.Decode(body); err != nil || len(p.Objects) != 1000 {
		t.Fatalf("%d objects, %v", len(p.Objects), err)
	}
	if n := testing.AllocsPerRun(20, func() { _ = p.Decode(body) }); n > 10 {
		t.Errorf("%v allocations", n)
	}
}

// plainPage is a page as S3 writes it.
func plainPage(n int) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name><Prefix></Prefix><NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>`)
	fmt.Fprintf(&b, `<KeyCount>%d</KeyCount><MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>`, n)
	for i := range n {
		fmt.Fprintf(&b, `<Contents><Key>usr/share/doc/lib%04d/examples/some+words%%2Bmore.txt</Key><LastModified>2024-03-0%dT12:34:56.000Z</LastModified><ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>`, i, 1+i%9, i*i)
	}
	b.WriteString(`</ListBucketResult>`)
	return b.String()
}

func BenchmarkDecode(b *testing.B) {
	body := []byte(plainPage(1000))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	var p Page
	for b.Loop() {
		if err := p.Decode(body); err != nil {
			b.Fatal(err)
		}
	}
}

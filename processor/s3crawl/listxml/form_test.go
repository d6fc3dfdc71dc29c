package listxml

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Objects that are written like the one before are read by comparing; each of
// these is unlike it somewhere, and is read as ever.
func TestObjectsUnlikeTheOneBefore(t *testing.T) {
	const usual = "<Contents>\n <Key>%s</Key><LastModified>2024-03-01T12:34:56.000Z</LastModified><ETag>&quot;e&quot;</ETag><Owner>me<ID>1</ID></Owner><Size>%d</Size></Contents>"
	unlike := []string{
		`<Contents><Key>k</Key></Contents>`,
		`<Contents></Contents>`,
		`<Contents/>`,
		`<Contents><Key/></Contents>`,
		`<Contents><Key>a&amp;b</Key></Contents>`,
		`<Contents><Key>a<!-- c -->b</Key></Contents>`,
		`<Contents><Key>a<![CDATA[</Key>]]></Key></Contents>`,
		`<Contents a=">"><Key a="/">a</Key></Contents>`,
		`<x:Contents><x:Key>a</x:Key></x:Contents>`,
		`<Contents><Key>a</Key><Unknown><Key>b</Key></Unknown></Contents>`,
		`<Contents><ETag>"e"</ETag><Key>a</Key></Contents>`,
		`<Contents><ETag>&#34;e&#34;</ETag><Key >a</Key ></Contents>`,
		`<Contents><ETag>&quot;e</ETag><Owner>you</Owner><Key>a</Key></Contents>`,
		`<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes>`,
		`<Other>text</Other>`,
		fmt.Sprintf(usual, "a&lt;b", 7),
		fmt.Sprintf(usual, "<![CDATA[a]]>", 7),
		fmt.Sprintf(usual, "\u00e9%zz", 7),
		strings.Replace(fmt.Sprintf(usual, "a", 7), "me", "you", 1),
		strings.Replace(fmt.Sprintf(usual, "a", 7), "2024-03", "2024-13", 1),
		strings.Replace(fmt.Sprintf(usual, "a", 7), "7", "x", 1),
		strings.Replace(fmt.Sprintf(usual, "a", 7), "</Size>", "</Size><Size>8</Size>", 1),
		strings.Replace(fmt.Sprintf(usual, "a", 7), "</ETag>", "</Etag>", 1),
		strings.Replace(fmt.Sprintf(usual, "a", 7), "<ID>1", "<ID>&none;", 1),
	}
	for _, u := range unlike {
		for _, around := range []string{fmt.Sprintf(usual, "b", 1), u} {
			doc := []byte(wrap(around + "\n" + around + u + around + fmt.Sprintf(usual, "", 2) + u + u + "<IsTruncated>false</IsTruncated>"))
			var got Page
			err := got.Decode(doc)
			want, refused := reference(doc)
			if (err == nil) != (refused == nil) {
				t.Fatalf("%s: %v, but encoding/xml says %v", doc, err, refused)
			}
			if err == nil {
				same(t, got, want)
			}
		}
	}
}

// The same of versions and delete markers, which have forms of their own.
func TestVersionsWrittenAlike(t *testing.T) {
	const (
		version = `<Version><Key>%[1]s</Key><VersionId>%[2]d</VersionId><IsLatest>%[3]t</IsLatest><Size>%[2]d</Size></Version>`
		marker  = `<DeleteMarker><Key>%[1]s</Key><VersionId>%[2]d</VersionId><IsLatest>%[3]t</IsLatest></DeleteMarker>`
	)
	var b strings.Builder
	for i := range 20 {
		form := version
		if i%3 == 1 {
			form = marker
		}
		fmt.Fprintf(&b, form, strings.Repeat("k", 1+i/2), i, i%2 == 0)
	}
	doc := []byte("<ListVersionsResult>" + b.String() + "<IsTruncated>false</IsTruncated></ListVersionsResult>")
	var got Page
	if err := got.Decode(doc); err != nil {
		t.Fatal(err)
	}
	want, err := reference(doc)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
}

// ETags that nobody asked for are left out, of all objects alike, and nothing else.
func TestNoETags(t *testing.T) {
	doc := []byte(plainPage(3))
	var with, without Page
	without.NoETags = true
	if err := errors.Join(with.Decode(doc), without.Decode(doc)); err != nil {
		t.Fatal(err)
	}
	for i := range with.Objects {
		if with.Objects[i].ETag == "" {
			t.Error("no ETag")
		}
		with.Objects[i].ETag = ""
	}
	with.NoETags = true
	same(t, without, with)
}

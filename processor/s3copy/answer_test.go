package s3copy

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is read quickly is what encoding/xml reads.
func FuzzPlainResult(f *testing.F) {
	for _, s := range []string{
		`<?xml version="1.0" encoding="UTF-8"?>` + "\n\n" + `<CopyObjectResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LastModified>2026</LastModified><ETag>&quot;d41d&quot;</ETag><ChecksumCRC64NVME>AA==</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType></CopyObjectResult>`,
		"<CopyObjectResult>\n  <ETag>\"x\"</ETag>\n</CopyObjectResult>\n",
		`<CopyObjectResult/>`, `<CopyObjectResult><ETag>a&amp;b</ETag></CopyObjectResult>`, `<CopyObjectResult><ETag><!-- --></ETag></CopyObjectResult>`,
		`<CopyObjectResult><ETag>a</ETag>`, `<Error><Code>InternalError</Code></Error>`, `<CopyObjectResult><X><ETag>a</ETag></X><ETag>b</ETag></CopyObjectResult>`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := plainResult(b)
		if got == nil {
			return
		}
		var want struct {
			XMLName           xml.Name `xml:"CopyObjectResult"`
			ETag              string
			ChecksumCRC64NVME string
		}
		if xml.Unmarshal(b, &want) != nil {
			return // that is stricter, with names and characters
		}
		require.Equal(t, want.ETag, *got.ETag)
	})
}

func TestPlainResult(t *testing.T) {
	r := plainResult([]byte(`<?xml version="1.0"?> <CopyObjectResult xmlns="x"> <ETag>&quot;e&quot;</ETag> <ChecksumSHA256>s</ChecksumSHA256></CopyObjectResult>` + "\n"))
	require.Equal(t, `"e"`, *r.ETag)
	require.Equal(t, "s", *r.ChecksumSHA256)
	for _, s := range []string{"", "<", "<CopyObjectResult>", "<CopyObjectResult><ETag>", "<CopyObjectResult></CopyObjectResult>", "<CopyObjectResult><ETag>a</ETag></CopyObjectResult>x", "<Error></Error>"} {
		require.Nil(t, plainResult([]byte(s)), s)
	}
}

// An error that comes with status 200, and an answer that is cut off, are tried
// again; one of another form is read by the SDK.
func TestOddAnswers(t *testing.T) {
	f := newFake(t, "a", "b")
	for i := range 4 {
		f.put(t, "a", fmt.Sprint(i), "c")
	}
	asked := map[string]int{}
	f.answer = func(w http.ResponseWriter, r *http.Request) bool {
		asked[r.URL.Path]++
		if asked[r.URL.Path] > 1 {
			return false
		}
		switch r.URL.Path {
		case "/b/0":
			fmt.Fprint(w, `<Error><Code>InternalError</Code><Message>as told</Message></Error>`)
		case "/b/1":
			fmt.Fprint(w, `<CopyObjectResult><ETag>"4a8a08f09d37b737956490`)
		case "/b/2":
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, `<CopyObjectResult>`)
		case "/b/3":
			fmt.Fprint(w, `<CopyObjectResult><!-- odd --><ETag>"4a8a08f09d37b73795649038408b5f33"</ETag></CopyObjectResult>`)
		}
		return true
	}
	tree, rows := trial{url: f.url, bucket: "a", order: Order{To: "s3://b/"}, slots: 1}.run(t)
	require.Empty(t, tree.Failed)
	require.Equal(t, map[string]int{"/b/0": 2, "/b/1": 2, "/b/2": 2, "/b/3": 1}, asked)
	require.Equal(t, "copied: ETag equal", rows["3"][0].ResultMessage)
}

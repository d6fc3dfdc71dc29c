package webhook_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/webhook"
)

// FuzzReadAnswer: no answer of an application crashes us, and what is taken can be
// counted, written as rows and sent on.
func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte(`{"children":[{"kind":"k","id":"a","args":{"x":1},"weight":7}],"rows":[{"a":"\u0000"}],"objects":1,"bytes":2}`))
	f.Add([]byte(`{"error":"no","give_up":true} `))
	f.Add([]byte(`{"rows":[` + strings.Repeat(`{"a":`, 50) + `1` + strings.Repeat(`}`, 50) + `]}`))
	f.Add([]byte(`{"objects":-1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := webhook.ReadAnswer(body)
		if err != nil {
			require.Equal(t, webhook.Answer{}, a)
			require.NotContains(t, err.Error(), "\n")
			return
		}
		require.GreaterOrEqual(t, a.Objects, int64(0))
		require.GreaterOrEqual(t, a.Bytes, int64(0))
		for _, r := range a.Rows {
			require.True(t, schema.IsObject(r))
		}
		for _, c := range a.Children {
			require.True(t, len(c.Args) == 0 || schema.IsObject(c.Args))
		}
	})
}

// FuzzCheckPath: a path that a message asks for leads below the application's URL, by
// our reading and by that of those who decode or resolve it once more.
func FuzzCheckPath(f *testing.F) {
	for _, p := range []string{"/", "/a/b", "/../x", "/a/..;/b", "//host/x", "/%2e%2e/x", "/a/./b", "/a//b", "/;x", "/a?b", "/a#b", "/a\\..\\b", "/a/b/"} {
		f.Add(p)
	}
	base, err := url.Parse("http://127.0.0.1:8000/jobs")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, p string) {
		if webhook.CheckPath(p) != nil {
			return
		}
		u, err := base.Parse("/jobs" + p)
		require.NoError(t, err)
		require.Equal(t, base.Host, u.Host)
		require.Empty(t, u.RawQuery+u.Fragment)
		unescaped, err := url.PathUnescape(p)
		require.NoError(t, err)
		for _, as := range []string{u.Path, path.Clean("/jobs" + unescaped), path.Clean("/jobs" + strings.ReplaceAll(p, `\`, "/")), u.EscapedPath()} {
			require.True(t, strings.HasPrefix(as+"/", "/jobs/"), "%q leads to %q", p, as)
		}
		// As servers of Java read it: without ;parameters.
		var plain []string
		for element := range strings.SplitSeq(p, "/") {
			name, _, _ := strings.Cut(element, ";")
			plain = append(plain, name)
		}
		require.True(t, strings.HasPrefix(path.Clean("/jobs"+strings.Join(plain, "/"))+"/", "/jobs/"), p)
	})
}

// FuzzParseURL: where an application is has a host, and no secret in it.
func FuzzParseURL(f *testing.F) {
	for _, text := range []string{"http://localhost:8000/jobs", "https://user:secret@h/", "http:///x", "http://h/?q", "http://[::1%25eth0]:80/", "http://h\x00/"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := webhook.ParseURL(text)
		if err != nil {
			return
		}
		require.NotEmpty(t, u.Hostname())
		require.Nil(t, u.User)
		require.True(t, strings.HasPrefix(u.Path, "/"), u.Path)
	})
}

// FuzzHandler: whatever is posted, the side that receives does no work that was not
// signed, and answers.
func FuzzHandler(f *testing.F) {
	keys, err := schema.NewKeyring(schema.Key{ID: "k1", Secret: bytes.Repeat([]byte("s"), 32)})
	require.NoError(f, err)
	var worked bool
	h, err := webhook.NewHandler(webhook.HandlerOptions{
		Keys: keys, Now: func() time.Time { return time.Unix(1e9, 0) },
		Kinds: map[string]webhook.NodeFunc{"k": func(context.Context, *webhook.Node) (*webhook.Answer, error) { worked = true; return nil, nil }},
		Tasks: map[string]webhook.TaskFunc{"t": func(context.Context, webhook.Task) error { worked = true; return nil }},
	})
	require.NoError(f, err)
	f.Add("/", "1000000000", "k1", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "", []byte(`{"v":1,"kind":"k"}`))
	f.Add("/x/periodic_tasks", "1000000000", "k1", "", "t", []byte(nil))
	f.Fuzz(func(t *testing.T, at, when, key, signature, task string, body []byte) {
		u, err := url.ParseRequestURI(at)
		if err != nil {
			return
		}
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.URL, r.RequestURI = u, at
		r.Header = http.Header{webhook.HeaderTime: {when}, webhook.HeaderKey: {key}, webhook.HeaderSignature: {signature}, webhook.HeaderTask: {task}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.False(t, worked, "work was done for who has no key")
		require.Equal(t, http.StatusForbidden, w.Code)
	})
}

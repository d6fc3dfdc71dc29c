package s3copy

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/processor"
)

func TestSameStore(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"", "", true},
		{"", "https://s3.eu-west-1.amazonaws.com", true},
		{"", "https://s3.cn-north-1.amazonaws.com.cn", true},
		{"", "http://localhost:9000", false},
		{"http://localhost:9000", "http://LOCALHOST:9000/", true},
		{"http://localhost:9000", "http://127.0.0.1:9000", true},
		{"http://localhost:9000", "http://[::1]:9000", true},
		{"http://127.0.0.1:9000", "http://127.9.9.9:9000", true},
		{"http://127.0.0.1:9000", "http://0.0.0.0:9000", true},
		{"http://127.0.0.1:9000", "http://127.0.0.1:9001", false},
		{"http://127.0.0.1:80", "http://127.0.0.1", true},
		{"http://127.0.0.1:9000", "http://192.0.2.1:9000", false},
	} {
		require.Equal(t, c.same, sameStore(t.Context(), c.a, c.b), "%q, %q", c.a, c.b)
		require.Equal(t, c.same, sameStore(t.Context(), c.b, c.a), "%q, %q", c.b, c.a)
	}
}

// A destination within its source is refused, by whatever endpoint it is named: it
// would be copied again and again.
func TestDestinationWithinTheSourceByItsEndpoint(t *testing.T) {
	f := newFake(t, "a")
	f.put(t, "a", "x/1", "one")
	t.Setenv("AWS_ACCESS_KEY_ID", "k")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	tree, _ := trial{url: f.url, bucket: "a", prefix: "x/", order: Order{To: "s3://a/x/copy/", Endpoint: strings.Replace(f.url, "127.0.0.1", "localhost", 1)}}.run(t)
	require.Len(t, tree.Failed, 1)
	require.ErrorContains(t, tree.Failed[0].Err, "to is \"s3://a/x/copy/\", want a place that is not within the source, s3://a/x/")
	require.True(t, processor.IsPermanent(tree.Failed[0].Err))
	require.Equal(t, map[string]string{"x/1": "one"}, f.all(t, "a"))
}

// What is larger than the room does not wait for ever.
func TestRoom(t *testing.T) {
	r := newRoom(10)
	release, err := r.take(t.Context(), 11)
	require.NoError(t, err)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = r.take(gone, 1)
	require.ErrorIs(t, err, context.Canceled, "it has all of it")
	release()
	release, err = r.take(t.Context(), 10)
	require.NoError(t, err)
	release()
}

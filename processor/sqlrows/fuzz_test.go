package sqlrows

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/schema"
)

// FuzzArgs: no args crash the reader, and of those that it takes nothing can end an
// identifier: names are never bound, so SQL would be made of them.
func FuzzArgs(f *testing.F) {
	f.Add([]byte(`{"db":"main","table":"public.nodes","key":"id","parent":"parent_id","columns":["a","b"],"at":7,"after":"x"}`))
	f.Add([]byte(`{"db":"main","table":"nodes\"; DROP TABLE nodes; --","key":"id","parent":"p"}`))
	f.Add([]byte(`{"table":"t","key":"id","parent":"p","at":-9223372036854775808}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if !schema.IsObject(text) {
			return
		}
		a, err := parseArgs(text)
		if err != nil {
			return
		}
		for _, name := range append(strings.Split(a.Table, "."), append(a.Columns, a.Key, a.Parent)...) {
			require.Regexp(t, `^[A-Za-z_][A-Za-z0-9_$]{0,62}$`, name)
		}
		again, err := parseArgs(a.child().Args)
		require.NoError(t, err, "%s", a.child().Args)
		require.Equal(t, string(a.child().Args), string(again.child().Args))
	})
}

// FuzzSecrets: a password in a DSN is found, however the DSN is written, or the DSN is
// said to be one whose password is not known.
func FuzzSecrets(f *testing.F) {
	for _, before := range []string{"postgres://user:", "PostgreSQL://u:", "postgres://h/d?password=", "postgres://u:x@h/d?sslpassword="} {
		f.Add(before, "@host/db?sslmode=disable")
	}
	f.Add("postgres://u:%", "@h")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "hunter2hunter2"
		if !IsDSN(before) || strings.HasPrefix(lowered(before), sqliteScheme) || strings.Contains(before+after, secret) {
			return
		}
		dsn := before + secret + after
		all, known := secrets(dsn)
		if !known {
			return
		}
		// Where it stands behind user and colon, it is the password, or a part of it.
		_, authority, _ := strings.Cut(before, "://")
		if strings.ContainsAny(authority, "/?#@") || !strings.Contains(authority, ":") || !strings.HasPrefix(after, "@") || strings.ContainsAny(after[1:], "@") {
			return
		}
		for _, s := range all {
			if strings.Contains(s, secret) {
				return
			}
		}
		t.Fatalf("no secret is known in %q: %q", dsn, all)
	})
}

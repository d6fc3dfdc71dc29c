package app

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/schema"
)

// inPassword finds a word that stands where a DSN has its password.
var inPassword = regexp.MustCompile(`(?i)^sql:postgres(ql)?://[^/?#@]*:[^/?#@]*hunter2hunter2[^/?#]*@`)

// FuzzTarget: no target crashes its reader; what is taken is a node that a message can
// hold, and what is wrong is said in one line without a password.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{
		"s3://bucket/prefix", "s3:///x", "inventory:s3://b/manifest.json", "prefixes:-", "file:/tmp/x", "graph:f?from=a&ways=any",
		"job:nightly?day=1&x=%26", "sql:main?table=nodes&key=id&parent=p&columns=a,b", "sql:postgres://u:hunter2hunter2@h/d?table=t&key=k&parent=p",
		"SQL:Postgres://u:hunter2hunter2@[::1/d?%zz", "sql:postgres://h/d?password=hunter2hunter2&table=t", "sql:sqlite:x.db?table=t&key=k&parent=p&root=7",
		`{"kind":"synthetic","id":"0","args":{"fanout":10}}`, `{"kind":"graph","id":"a","args":{"file":"x"}}`, `{"kind":"s3.copy","args":{"bucket":"b"}} {}`,
		"s3://b/\xff", "graph:?from=\x1b[2J", "job:\n",
	} {
		f.Add(s, "range")
	}
	f.Fuzz(func(t *testing.T, s, node string) {
		got, err := parseTarget(s, node)
		if err != nil {
			require.ErrorAs(t, err, new(usageError))
			require.False(t, strings.ContainsAny(err.Error(), "\n\r\x1b"), "%q", err)
			if inPassword.MatchString(s) {
				require.NotContains(t, err.Error(), "hunter2hunter2")
			}
			return
		}
		require.False(t, inPassword.MatchString(s), "a target with a password is taken: %q", s)
		require.NoError(t, schema.CheckKind(got.root.Kind))
		require.True(t, len(got.root.Args) == 0 || schema.IsObject(got.root.Args), "%s", got.root.Args)
	})
}

// FuzzNode: a node that somebody wrote down is one object, or is refused.
func FuzzNode(f *testing.F) {
	f.Add(`{"kind":"a.b","id":"x","args":{"y":[1,2]},"weight":3}`)
	f.Add(`{"kind":"a","args":{}}]`)
	f.Add(`{"kind":"a","args":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`)
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseNode(s)
		if err != nil {
			require.ErrorAs(t, err, new(usageError))
			return
		}
		require.NoError(t, schema.CheckKind(n.Kind))
		require.True(t, len(n.Args) == 0 || schema.IsObject(n.Args))
	})
}

// FuzzSettings: no text of a flag crashes its reader, and tokens are whole.
func FuzzSettings(f *testing.F) {
	f.Add("2.50", "abc,def")
	f.Add("1e999", " , ")
	f.Add("-0x1p-2", "\n")
	f.Fuzz(func(t *testing.T, text, tokens string) {
		if usd, err := readBudget(text); err == nil {
			require.GreaterOrEqual(t, usd, 0.0)
			require.Less(t, usd, 1e18)
		}
		if strings.HasPrefix(tokens, "file:") {
			return
		}
		all, err := readTokens(tokens)
		if err != nil {
			require.ErrorAs(t, err, new(usageError))
			return
		}
		for _, token := range all {
			require.NotEmpty(t, strings.TrimSpace(token))
		}
	})
}

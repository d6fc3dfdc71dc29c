package keyring_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/keyring"
	"github.com/ramify/ramify/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func bytesOf(c byte) []byte { return bytes.Repeat([]byte{c}, 32) }

// line is a key of a name, whose secret is the letter, often.
func line(id string, c byte) string { return id + ":" + base64.StdEncoding.EncodeToString(bytesOf(c)) }

// signed is a message signed with such a key.
func signed(t *testing.T, id string, c byte) map[string]string {
	t.Helper()
	r, err := schema.NewKeyring(schema.Key{ID: id, Secret: bytesOf(c)})
	require.NoError(t, err)
	return r.Sign([]byte("body"))
}

func verifies(t *testing.T, r *schema.Keyring, id string, c byte) bool {
	t.Helper()
	err := r.Verify([]byte("body"), signed(t, id, c))
	if err != nil {
		require.ErrorIs(t, err, schema.ErrUnsigned)
	}
	return err == nil
}

// vault keeps secrets by name and stage, counts what it is asked, and fails as told.
type vault struct {
	mu    sync.Mutex
	texts map[string]string
	err   error
	asked int
}

func (v *vault) Get(_ context.Context, id, stage string) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked++
	if v.err != nil {
		return "", v.err
	}
	text, ok := v.texts[id+" "+stage]
	if !ok {
		return "", fmt.Errorf("read secret %s: %w", id, keyring.ErrNoSecret)
	}
	return text, nil
}

func (v *vault) put(id, stage, text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.texts == nil {
		v.texts = map[string]string{}
	}
	v.texts[id+" "+stage] = text
}

func (v *vault) fail(err error) { v.mu.Lock(); defer v.mu.Unlock(); v.err = err }

func (v *vault) count() int { v.mu.Lock(); defer v.mu.Unlock(); return v.asked }

func written(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(name, []byte(text), mode))
	require.NoError(t, os.Chmod(name, mode))
	return name
}

func TestFormsOfTheVariable(t *testing.T) {
	a, b := line("a", 'A'), line("b", 'B')
	odd := bytes.Repeat([]byte{0xfb, 0xff}, 17) // has the letters that alphabets differ in
	v := &vault{}
	const arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:ramify-AbCdEf"
	v.put("ramify/key", keyring.Current, a)
	v.put("both", keyring.Current, a+"\n"+b+"\n")
	v.put("rotated", keyring.Current, a)
	v.put("rotated", keyring.Previous, b+","+line("c", 'C'))
	v.put("first", keyring.Current, a)
	v.put("first", keyring.Previous, "to be made")
	v.put(arn, keyring.Current, `{"id": "a", "key": "`+base64.StdEncoding.EncodeToString(bytesOf('A'))+`"}`)
	for _, c := range []struct {
		name, value string
		second      bool
	}{
		{"literal", a, false},
		{"padded with blanks", " " + a + "\n", false},
		{"two", a + "," + b, true},
		{"without padding", strings.TrimRight(a, "="), false},
		{"file", "file:" + written(t, a, 0o600), false},
		{"file of lines", "file:" + written(t, "# signs\n"+a+"\n\n# verifies\r\n"+b+"\r\n", 0o400), true},
		{"file of one line", "file:" + written(t, a+", "+b, 0o640), true},
		{"secret", "secretsmanager:ramify/key", false},
		{"secret with two", "secretsmanager:both", true},
		{"secret rotated", "secretsmanager:rotated", true},
		{"secret with no key before", "secretsmanager:first", false},
		{"ARN", arn, false},
		{"ARN with prefix", "secretsmanager:" + arn, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, err := keyring.Open(t.Context(), c.value, keyring.Options{Secrets: v})
			require.NoError(t, err)
			r := w.Keyring()
			assert.Equal(t, signed(t, "a", 'A'), r.Sign([]byte("body")), "the first signs")
			assert.True(t, verifies(t, r, "a", 'A'))
			assert.Equal(t, c.second, verifies(t, r, "b", 'B'))
			assert.False(t, verifies(t, r, "a", 'B'))
		})
	}
	for name, e := range map[string]*base64.Encoding{
		"standard": base64.StdEncoding, "raw": base64.RawStdEncoding, "url": base64.URLEncoding, "raw url": base64.RawURLEncoding,
	} {
		w, err := keyring.Open(t.Context(), "a:"+e.EncodeToString(odd), keyring.Options{})
		require.NoError(t, err, name)
		r, err := schema.NewKeyring(schema.Key{ID: "a", Secret: odd})
		require.NoError(t, err)
		assert.NoError(t, w.Keyring().Verify([]byte("x"), r.Sign([]byte("x"))), name)
	}

	w, err := keyring.Open(t.Context(), "", keyring.Options{})
	require.NoError(t, err)
	assert.Nil(t, w.Keyring(), "no key, no signatures")
	w.Start()
	w.Stop()
}

// An error names the variable, where the key is and what is wrong with it; never
// what may be a secret.
func TestErrorsAreClearAndKeepTheSecret(t *testing.T) {
	secret := base64.StdEncoding.EncodeToString(bytesOf('S'))
	v := &vault{}
	v.put("binary", keyring.Current, secret)
	for _, c := range []struct{ value, says string }{
		{secret, "key 1: it has no name: want NAME:BASE64"},
		{secret + ":k1", "key 1: its name is not 1 to 32 letters"},
		{"k1:" + secret + "," + secret, "key 2: it has no name"},
		{"k1:" + secret + "!", "the secret of k1 is not base64"},
		{"k1:" + secret[:40], "the secret of k1 has 30 bytes, want 32 or more"},
		{"k1:" + secret + ",k1:" + secret, "both keys are named k1: a new key needs a new name"},
		{"a:" + secret + ",b:" + secret + ",c:" + secret, "there are 3 keys in it, at most 2"},
		{`{"k1":"` + secret + `"}`, `it is not the JSON object {"id": NAME, "key": BASE64}`},
		{`{"id":"k1","key":"` + secret + `"`, "it is not the JSON object"},
		{"file:", "file: has no path behind it"},
		{"file:no/such", "open no/such: no such file"},
		{"file:" + written(t, "k1:"+secret, 0o644), "(mode 0644): run chmod 600 "},
		{"file:" + written(t, "# none\n", 0o600), "there is no key in it"},
		{"file:" + written(t, strings.Repeat("#", 70<<10), 0o600), "it is no list of keys"},
		{"secretsmanager:", "secretsmanager: has no name behind it"},
		{"secretsmanager:gone", "read secret gone: no such secret"},
		{"secretsmanager:binary", "secret binary: key 1: it has no name"},
		{"arn:aws:s3:::bucket/key", "arn:aws:s3:::bucket/key is not the ARN of a secret"},
	} {
		_, err := keyring.Open(t.Context(), c.value, keyring.Options{Secrets: v})
		require.ErrorContains(t, err, "read RAMIFY_SIGNING_KEY: ", c.says)
		require.ErrorContains(t, err, c.says)
		require.NotContains(t, err.Error(), secret[:20], c.says)
		require.NotContains(t, err.Error(), "\n")
	}
	_, err := keyring.Open(t.Context(), "secretsmanager:x", keyring.Options{})
	require.ErrorContains(t, err, "there is no access to AWS Secrets Manager here")
}

func TestGenerate(t *testing.T) {
	a, b := keyring.Generate(), keyring.Generate()
	assert.NotEqual(t, a, b)
	w, err := keyring.Open(t.Context(), a+","+b, keyring.Options{})
	require.NoError(t, err)
	assert.NotNil(t, w.Keyring())
}

// logged collects what is logged.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.text.String() }

// watching runs a test with keys of a vault that are watched, in made-up time.
func watching(t *testing.T, test func(t *testing.T, v *vault, w *keyring.Watch, log *logged)) {
	synctest.Test(t, func(t *testing.T) {
		v, log := &vault{}, &logged{}
		v.put("s", keyring.Current, line("old", 'O'))
		w, err := keyring.Open(t.Context(), "secretsmanager:s", keyring.Options{
			Secrets: v, Log: slog.New(slog.NewJSONHandler(log, nil)),
		})
		require.NoError(t, err)
		w.Start()
		test(t, v, w, log)
		w.Stop()
		for _, c := range "ON" {
			assert.NotContains(t, log.String(), base64.StdEncoding.EncodeToString(bytesOf(byte(c)))[:20], "a secret in the log")
		}
	})
}

func rotate(v *vault) {
	v.put("s", keyring.Previous, line("old", 'O'))
	v.put("s", keyring.Current, line("new", 'N'))
}

func TestKeysChangeWhileInUse(t *testing.T) {
	watching(t, func(t *testing.T, v *vault, w *keyring.Watch, log *logged) {
		r := w.Keyring()
		rotate(v)
		time.Sleep(4 * time.Minute)
		assert.Equal(t, "old", r.Sign(nil)[schema.AttrKeyID])
		time.Sleep(2 * time.Minute)
		assert.Equal(t, "new", r.Sign(nil)[schema.AttrKeyID])
		assert.Same(t, r, w.Keyring())
		assert.True(t, verifies(t, r, "old", 'O'), "what was signed before")
		assert.Equal(t, 1, strings.Count(log.String(), "signing keys changed"))
		time.Sleep(time.Hour)
		assert.Equal(t, 1, strings.Count(log.String(), "signing keys changed"))
	})
}

// A message that names a key which is not known yet has the keys read first: it
// would go to the dead-letter queue otherwise. Forged ones do not have them read
// more than once a minute.
func TestAnUnknownKeyIsLookedFor(t *testing.T) {
	watching(t, func(t *testing.T, v *vault, w *keyring.Watch, _ *logged) {
		r := w.Keyring()
		time.Sleep(time.Minute)
		before := v.count()
		var all sync.WaitGroup
		rotate(v)
		for range 8 {
			all.Go(func() { assert.True(t, verifies(t, r, "new", 'N')) })
		}
		all.Wait()
		assert.Equal(t, before+2, v.count(), "one look, at two versions")
		for range 50 {
			assert.False(t, verifies(t, r, "forged", 'F'))
			time.Sleep(time.Second)
		}
		assert.Equal(t, before+2, v.count(), "within a minute")
		time.Sleep(11 * time.Second)
		assert.False(t, verifies(t, r, "forged", 'F'))
		assert.Equal(t, before+4, v.count())
		assert.False(t, verifies(t, r, "new", 'F'), "a known key is not looked for")
		w.Stop()
		time.Sleep(time.Hour)
		assert.False(t, verifies(t, r, "forged", 'F'))
		assert.Equal(t, before+4, v.count(), "nobody looks after Stop")
	})
}

// While keys cannot be read, or are no keys, those there were stay valid, which is
// logged once.
func TestTroubleKeepsTheKeys(t *testing.T) {
	for name, trouble := range map[string]func(*vault){
		"access":  func(v *vault) { v.fail(errors.New("access denied")) },
		"nothing": func(v *vault) { v.put("s", keyring.Current, "") },
		"damaged": func(v *vault) { v.put("s", keyring.Current, "new:AAAA") },
	} {
		t.Run(name, func(t *testing.T) {
			watching(t, func(t *testing.T, v *vault, w *keyring.Watch, log *logged) {
				trouble(v)
				time.Sleep(time.Hour)
				assert.True(t, verifies(t, w.Keyring(), "old", 'O'))
				assert.Equal(t, 1, strings.Count(log.String(), "signing keys cannot be read again"))
				v.fail(nil)
				rotate(v)
				time.Sleep(6 * time.Minute)
				assert.True(t, verifies(t, w.Keyring(), "new", 'N'))
				assert.Equal(t, 1, strings.Count(log.String(), "signing keys can be read again"))
			})
		})
	}
}

// A file that is replaced, as Kubernetes and configuration tools do, is read again.
func TestAFileIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name := written(t, line("old", 'O'), 0o600)
		w, err := keyring.Open(t.Context(), "file:"+name, keyring.Options{Every: time.Minute})
		require.NoError(t, err)
		w.Start()
		next := written(t, line("new", 'N')+","+line("old", 'O'), 0o600)
		require.NoError(t, os.Rename(next, name))
		time.Sleep(61 * time.Second)
		assert.Equal(t, "new", w.Keyring().Sign(nil)[schema.AttrKeyID])
		assert.True(t, verifies(t, w.Keyring(), "old", 'O'))
		w.Stop()
	})
}

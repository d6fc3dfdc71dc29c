// Package keyring knows from where the keys come that messages are signed with,
// and changes them while a task works.
//
// RAMIFY_SIGNING_KEY is the keys themselves, or where they are:
//
//	NAME:BASE64                   a name, and 32 bytes or more
//	NAME:BASE64,NAME:BASE64       the first signs, both verify
//	file:/run/secrets/ramify      a file with the same; also one a line, # begins a comment
//	secretsmanager:NAME-OR-ARN    a secret of AWS Secrets Manager with the same,
//	arn:aws:secretsmanager:…      or with the JSON object {"id": NAME, "key": BASE64}
//
// A secret whose current version has one key only is completed by its previous
// version, so that what was signed before a rotation verifies after it.
//
// To rotate keys without refusing a message, add the new one behind the old
// ("old,new"), wait until every task has read it, turn them round ("new,old"), and
// drop the old one when no message signed with it can be left: after the queue's
// retention period.
//
// Source: AWS Secrets Manager User Guide, "What's in a Secrets Manager secret?"
// (staging labels).
package keyring

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/ramify/ramify/schema"
)

// Var is the variable that errors name.
const Var = "RAMIFY_SIGNING_KEY"

// Secrets is where secrets are kept by name.
type Secrets interface {
	// Get returns the text of a secret, of the version with a staging label
	// (AWSCURRENT or AWSPREVIOUS). It returns ErrNoSecret if there is no such
	// secret or version. No error has any part of the secret.
	Get(ctx context.Context, id, stage string) (string, error)
}

// The staging labels of versions.
const (
	Current  = "AWSCURRENT"
	Previous = "AWSPREVIOUS"
)

// ErrNoSecret says that there is no secret of a name, or no such version of it.
var ErrNoSecret = errors.New("no such secret")

// Options of Open; only what the value needs is needed.
type Options struct {
	Secrets Secrets       // for secretsmanager: and ARNs
	Every   time.Duration // between two looks; default 5 min
	Log     *slog.Logger  // default: discard
}

const (
	filePrefix   = "file:"
	secretPrefix = "secretsmanager:"
	arnPrefix    = "arn:"
	maxFile      = 64 << 10
)

// source reads keys from where they are.
type source interface {
	read(context.Context) ([]schema.Key, error)
	String() string // for people; no secret
}

// Open reads the keys that the value of Var names. An empty value is none: the
// Watch's keyring is nil, which signs nothing and accepts everything.
func Open(ctx context.Context, value string, o Options) (*Watch, error) {
	w := newWatch(ctx, o)
	value = strings.TrimSpace(value)
	if value == "" {
		return w, nil
	}
	keys, err := w.open(ctx, value, o.Secrets)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", Var, err)
	}
	if w.ring, err = schema.NewKeyring(keys...); err != nil {
		return nil, fmt.Errorf("read %s: %w", Var, err)
	}
	if w.source != nil {
		w.keys = keys
		w.ring.OnUnknown(w.unknown)
	}
	return w, nil
}

// open finds where the keys are, and reads them.
func (w *Watch) open(ctx context.Context, value string, secrets Secrets) ([]schema.Key, error) {
	switch {
	case strings.HasPrefix(value, filePrefix):
		w.source = file(strings.TrimPrefix(value, filePrefix))
	case strings.HasPrefix(value, secretPrefix):
		w.source = &secret{id: strings.TrimPrefix(value, secretPrefix), from: secrets, log: w.o.Log}
	case strings.HasPrefix(value, arnPrefix):
		if parts := strings.SplitN(value, ":", 7); len(parts) != 7 || parts[2] != "secretsmanager" || parts[5] != "secret" {
			return nil, fmt.Errorf("%s is not the ARN of a secret, arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME", value)
		}
		w.source = &secret{id: value, from: secrets, log: w.o.Log}
	default:
		return parse(value)
	}
	return w.source.read(ctx)
}

// file is the path of one.
type file string

func (f file) String() string { return "file " + string(f) }

func (f file) read(context.Context) ([]schema.Key, error) {
	if f == "" {
		return nil, errors.New("file: has no path behind it")
	}
	in, err := os.Open(string(f))
	if err != nil {
		return nil, err
	}
	defer in.Close() //nolint:errcheck // it was only read
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	// Windows has no such bits, and makes some up.
	if mode := info.Mode().Perm(); mode&0o007 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s is open to everyone on this machine (mode %04o): run chmod 600 %s", f, mode, string(f))
	}
	text, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s has more than %d bytes: it is no list of keys", f, maxFile)
	}
	keys, err := parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f, err)
	}
	return keys, nil
}

// secret is one of Secrets Manager.
type secret struct {
	id   string
	from Secrets
	log  *slog.Logger
}

func (s *secret) String() string { return "secret " + s.id }

func (s *secret) read(ctx context.Context) ([]schema.Key, error) {
	switch {
	case s.id == "":
		return nil, errors.New("secretsmanager: has no name behind it")
	case s.from == nil:
		return nil, errors.New("there is no access to AWS Secrets Manager here")
	}
	text, err := s.from.Get(ctx, s.id, Current)
	if err != nil {
		return nil, err
	}
	keys, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	if len(keys) == 1 {
		return s.withPrevious(ctx, keys)
	}
	return keys, nil
}

// withPrevious adds the first key of the secret's version before, if it has one.
// What that version holds if it is no key, nobody has signed with.
func (s *secret) withPrevious(ctx context.Context, keys []schema.Key) ([]schema.Key, error) {
	text, err := s.from.Get(ctx, s.id, Previous)
	if errors.Is(err, ErrNoSecret) {
		return keys, nil
	}
	if err != nil {
		return nil, err
	}
	before, err := parse(text)
	switch {
	case err != nil:
		s.log.Warn("the previous version of the signing key is not a key", "secret", s.id, "error", err)
	case before[0].ID != keys[0].ID:
		keys = append(keys, before[0])
	case string(before[0].Secret) != string(keys[0].Secret):
		s.log.Warn("the previous version of the signing key has the same name: what it signed is refused", "secret", s.id, "key", keys[0].ID)
	}
	return keys, nil
}

// Generate makes a new key, as NAME:BASE64: 32 random bytes under a random name.
func Generate() string {
	var id [4]byte
	var secret [32]byte
	_, _ = rand.Read(id[:]) // never fails
	_, _ = rand.Read(secret[:])
	return "k" + hex.EncodeToString(id[:]) + ":" + base64.StdEncoding.EncodeToString(secret[:])
}

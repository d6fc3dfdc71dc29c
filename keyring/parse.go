package keyring

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/ramify/ramify/schema"
)

// maxKeys are valid at a time: the one that signs, and the one before or after.
const maxKeys = 2

// name is that of a key. It is shorter than any secret, so that a secret in its
// place is not taken for one and printed.
var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$`)

// parse reads keys: NAME:BASE64, two separated by a comma or each on a line of
// its own, lines that begin with # apart; or a JSON object of one key. No error
// quotes what may be a secret.
func parse(text string) ([]schema.Key, error) {
	if text = strings.TrimSpace(text); strings.HasPrefix(text, "{") {
		k, err := parseObject(text)
		return []schema.Key{k}, err
	}
	var keys []schema.Key
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") {
			continue
		}
		for entry := range strings.SplitSeq(line, ",") {
			if entry = strings.TrimSpace(entry); entry == "" {
				continue
			}
			k, err := parseKey(entry)
			if err != nil {
				return nil, fmt.Errorf("key %d: %w", len(keys)+1, err)
			}
			keys = append(keys, k)
		}
	}
	switch {
	case len(keys) == 0:
		return nil, errors.New("there is no key in it: want NAME:BASE64")
	case len(keys) > maxKeys:
		return nil, fmt.Errorf("there are %d keys in it, at most %d are valid at a time: the first signs, the other verifies, too", len(keys), maxKeys)
	case len(keys) == maxKeys && keys[0].ID == keys[1].ID:
		return nil, fmt.Errorf("both keys are named %s: a new key needs a new name", keys[0].ID)
	}
	return keys, nil
}

func parseKey(entry string) (schema.Key, error) {
	id, secret, ok := strings.Cut(entry, ":")
	if !ok {
		return schema.Key{}, errors.New("it has no name: want NAME:BASE64")
	}
	return key(id, secret)
}

// parseObject reads the form that a secret has whose password was made by
// CloudFormation (GenerateSecretString), or by hand as two pairs.
func parseObject(text string) (schema.Key, error) {
	var in struct{ ID, Key *string }
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if d.Decode(&in) != nil || d.More() || in.ID == nil || in.Key == nil {
		return schema.Key{}, errors.New(`it is not the JSON object {"id": NAME, "key": BASE64}; two keys are written as NAME:BASE64,NAME:BASE64`)
	}
	return key(*in.ID, *in.Key)
}

func key(id, secret string) (schema.Key, error) {
	if !name.MatchString(id) {
		return schema.Key{}, errors.New("its name is not 1 to 32 letters, digits, dots, dashes and underscores: want NAME:BASE64")
	}
	// Both alphabets, padded or not.
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(secret, "="))
	raw, err := base64.RawStdEncoding.DecodeString(plain)
	if err != nil {
		return schema.Key{}, fmt.Errorf("the secret of %s is not base64", id)
	}
	k := schema.Key{ID: id, Secret: raw}
	if _, err := schema.NewKeyring(k); err != nil {
		return schema.Key{}, fmt.Errorf("the secret of %s has %d bytes, want 32 or more", id, len(raw))
	}
	return k, nil
}

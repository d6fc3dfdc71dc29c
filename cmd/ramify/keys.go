package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"
)

// newSigningKey is a fresh key as RAMIFY_SIGNING_KEY holds it, named after its day.
func newSigningKey(now time.Time) (string, error) {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return "", fmt.Errorf("make signing key: %w", err)
	}
	return "k" + now.UTC().Format("20060102") + ":" + base64.RawURLEncoding.EncodeToString(secret), nil
}

package main

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"strings"

	"github.com/ramify/ramify/keyring"
	"github.com/ramify/ramify/keyring/secretsmanager"
)

// openKeys reads the keys that messages are signed with: those that the
// environment names, else the stack's. They are no flag: everybody on a machine
// can read the arguments of a command.
func (f *fleet) openKeys(ctx context.Context, log *slog.Logger) error {
	value := cmp.Or(os.Getenv(keyring.Var), f.secret)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	keys, err := keyring.Open(ctx, value, keyring.Options{Secrets: secretsmanager.New(f.cfg), Log: log})
	if err != nil && !inSecrets(value) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	f.watch, f.keys = keys, keys.Keyring()
	return nil
}

// inSecrets reports whether keys are in AWS Secrets Manager, which may not answer;
// all else is configuration.
func inSecrets(value string) bool {
	return strings.HasPrefix(value, "secretsmanager:") || strings.HasPrefix(value, "arn:")
}

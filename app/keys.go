package app

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"strings"

	"github.com/ramify/ramify/keyring"
)

// openKeys reads the keys that messages are signed with: those that the
// environment names, else the stack's. They are no flag: everybody on a machine
// can read the arguments of a command.
func (f *fleet) openKeys(ctx context.Context, log *slog.Logger) error {
	keys, err := openKeyring(ctx, cmp.Or(os.Getenv(keyring.Var), f.secret), &f.cfg, log)
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

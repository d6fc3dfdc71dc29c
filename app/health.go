package app

import (
	"context"

	"github.com/ramify/ramify/internal/health"
)

// healthCmd is the health check of a container, whose image has neither a shell
// nor curl.
type healthCmd struct {
	Health string `help:"Where the task answers." default:"${health}" placeholder:"HOST:PORT"`
}

// Run implements the command.
func (c *healthCmd) Run(ctx context.Context) error {
	var ignored string
	if err := readSettings([]setting{{"health", c.Health, address(&ignored)}}); err != nil {
		return err
	}
	return health.Check(ctx, c.Health)
}

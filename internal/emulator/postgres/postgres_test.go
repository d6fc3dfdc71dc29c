package postgres_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/emulator/postgres"
)

func TestServer(t *testing.T) {
	first, second := postgres.URL(t), postgres.URL(t)
	assert.NotEqual(t, first, second, "a database for each")
	c, err := pgx.Connect(t.Context(), first)
	require.NoError(t, err)
	defer c.Close(t.Context())
	var version string
	require.NoError(t, c.QueryRow(t.Context(), "SELECT version()").Scan(&version))
	assert.Contains(t, version, "PostgreSQL 17")
}

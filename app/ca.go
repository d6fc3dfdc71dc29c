package app

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/ramify/ramify/authority"
)

// caCmd is a small certificate authority, for serve and who asks it.
type caCmd struct {
	Init   caInitCmd   `cmd:"" help:"Make an authority in a folder."`
	Server caServerCmd `cmd:"" help:"Make the certificate of a server."`
	Client caClientCmd `cmd:"" help:"Make the certificate of a client."`
}

type caInitCmd struct {
	Dir  string `arg:"" help:"The folder; made where there is none."`
	Name string `env:"-" help:"Name of the authority." default:"Ramify" placeholder:"TEXT"`
	Days int    `env:"-" help:"Days that it is valid." default:"3650"`
}

type caServerCmd struct {
	Dir   string   `arg:"" help:"The authority's folder."`
	Hosts []string `arg:"" help:"Names and addresses that the server is called by."`
	Days  int      `env:"-" help:"Days that it is valid." default:"397"`
}

type caClientCmd struct {
	Dir  string `arg:"" help:"The authority's folder."`
	Name string `arg:"" help:"Who the client is: it stands in the audit."`
	Days int    `env:"-" help:"Days that it is valid." default:"397"`
}

func days(n int) (time.Duration, error) {
	if n < 1 || n > 36_500 {
		return 0, usagef("--days is %d, want 1 to 36500", n)
	}
	return time.Duration(n) * 24 * time.Hour, nil
}

// Run implements the command.
func (c *caInitCmd) Run(std streams) error {
	life, err := days(c.Days)
	if err != nil {
		return err
	}
	if _, err := authority.Create(c.Dir, c.Name, life, time.Now()); err != nil {
		return usageError{err}
	}
	return say(std.out, "%s\n%s\n", filepath.Join(c.Dir, "ca.pem"), filepath.Join(c.Dir, "ca.key"))
}

// Run implements the command.
func (c *caServerCmd) Run(std streams) error {
	return issue(std, c.Dir, c.Days, func(a *authority.Authority, life time.Duration) (string, error) {
		return a.Server(c.Hosts, life, time.Now())
	})
}

// Run implements the command.
func (c *caClientCmd) Run(std streams) error {
	return issue(std, c.Dir, c.Days, func(a *authority.Authority, life time.Duration) (string, error) {
		return a.Client(c.Name, life, time.Now())
	})
}

func issue(std streams, dir string, n int, with func(*authority.Authority, time.Duration) (string, error)) error {
	life, err := days(n)
	if err != nil {
		return err
	}
	a, err := authority.Open(dir)
	if err != nil {
		return usageError{err}
	}
	file, err := with(a, life)
	if err != nil {
		return usageError{err}
	}
	return say(std.out, "%s\n%s\n", file, strings.TrimSuffix(file, ".pem")+".key")
}

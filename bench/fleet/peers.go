package fleet

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ramify/ramify/internal/emulator"
)

// Peer is a worker that is not ours.
type Peer struct {
	Name, About string
	Batched     bool // by hand: all that can be batched is
	install     func() (command []string, err error)
	env         []string
}

// Peers are all that there are.
var Peers = []Peer{
	{
		Name: "sqs-consumer-batched", Batched: true, install: node, env: []string{"FLEET_FORM=batched"},
		About: "sqs-consumer 15.0.3, 8 consumers in a process, `handleMessageBatch`: the children of all ten messages share sends",
	},
	{
		Name: "sqs-consumer", install: node, env: []string{"FLEET_FORM=plain"},
		About: "sqs-consumer 15.0.3, 8 consumers in a process, `handleMessage`, one SendMessage a child",
	},
	{
		Name: "watermill", install: watermill,
		About: "watermill-aws 1.0.1, 32 subscriptions in a process, `Publish` of all children at once",
	},
	{
		Name: "celery", install: python("celery", "5.7.0"),
		About: "Celery 5.7.0 on kombu's SQS transport, 16 threads, no results",
	},
	{
		Name: "dramatiq", install: python("dramatiq", "0.4.4"),
		About: "dramatiq-sqs 0.4.4 on dramatiq 2.2.1, 16 threads",
	},
}

// Find finds a peer by its name.
func Find(name string) (Peer, error) {
	var names []string
	for _, p := range Peers {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Peer{}, fmt.Errorf("peer %q: want one of %s", name, strings.Join(names, ", "))
}

// Install installs the peer, once, into the checkout's cache and says how to
// start it.
func (p *Peer) Install() (command, env []string, err error) {
	if command, err = p.install(); err != nil {
		return nil, nil, fmt.Errorf("peer %s: %w: PEERS=\"...\" without it leaves it out of the race", p.Name, err)
	}
	return command, p.env, nil
}

const cache = "peers-fleet/"

// source is a folder below peers, for a test that runs in bench.
func source(name string) (string, error) { return filepath.Abs(filepath.Join("fleet", "peers", name)) }

// node has its packages beside a copy of its program, where node looks for them.
func node() ([]string, error) {
	const need = "Node.js 20 or later with npm"
	from, err := source("sqsconsumer")
	if err != nil {
		return nil, err
	}
	dir, err := emulator.Installed(cache+"sqs-consumer-15.0.3", func(dir string) error {
		for _, name := range []string{"package.json", "package-lock.json"} {
			if err := copyFile(filepath.Join(from, name), filepath.Join(dir, name)); err != nil {
				return err
			}
		}
		return emulator.Run(dir, need, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	})
	if err != nil {
		return nil, err
	}
	program := filepath.Join(dir, "worker.js")
	return []string{"node", program}, copyFile(filepath.Join(from, "worker.js"), program)
}

// python has a virtual environment of its own.
func python(name, version string) func() ([]string, error) {
	return func() ([]string, error) {
		const need = "Python 3.10 or later with venv (Debian: apt-get install python3-venv)"
		from, err := source(name)
		if err != nil {
			return nil, err
		}
		dir, err := emulator.Installed(cache+name+"-"+version, func(dir string) error {
			if err := emulator.Run(dir, need, "python3", "-m", "venv", "."); err != nil {
				return err
			}
			return emulator.Run(dir, need, filepath.Join(dir, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check",
				"--requirement", filepath.Join(from, "requirements.txt"))
		})
		if err != nil {
			return nil, err
		}
		return []string{filepath.Join(dir, "bin", "python"), filepath.Join(from, "worker.py")}, nil
	}
}

// watermill is a module of its own, so that ours does not depend on it.
func watermill() ([]string, error) {
	from, err := source("watermill")
	if err != nil {
		return nil, err
	}
	dir, err := emulator.Installed(cache+"watermill-1.0.1", func(string) error { return nil })
	if err != nil {
		return nil, err
	}
	program := filepath.Join(dir, "worker")
	return []string{program}, emulator.Run(from, "Go", "go", "build", "-trimpath", "-o", program, ".")
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}

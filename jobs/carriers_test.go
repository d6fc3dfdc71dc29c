package jobs_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/ramify/ramify/jobs"
)

// No parameter chooses a program that another one runs, nor what that one reads as a
// command line.
func TestCarriers(t *testing.T) {
	for run, want := range map[string]string{
		`[env, '{{b}}']`:                                 `run[1] is "{{b}}", want the name of a program, which env runs: no parameter may choose it`,
		`[env, -i, A=1, '{{b}}', x]`:                     `run[3] is "{{b}}", want the name of a program`,
		`[env, -u, A, 'x{{b}}']`:                         `run[3] is "x{{b}}", want the name of a program`,
		`[env, '{{b}}=1', x]`:                            `run[1] is "{{b}}=1", want the name of a program`,
		`[env, 'PATH={{b}}', x]`:                         `run[1] is "PATH={{b}}", want a text without placeholders`,
		`[env, -S, 'x {{b}}']`:                           `run[2] is "x {{b}}", want a text without placeholders`,
		`[env, '-S{{b}}']`:                               `run[1] is "-S{{b}}", want a text without placeholders`,
		`[env, '--split={{b}}']`:                         `run[1] is "--split={{b}}", want a text without`,
		`[env, -vS, '{{b}}']`:                            `run[2] is "{{b}}", want a text without placeholders`,
		`[env, '--split-string={{b}}']`:                  `run[1] is "--split-string={{b}}", want a text without placeholders`,
		`[env, '-i{{b}}', x]`:                            `run[1] is "-i{{b}}", want an option of env that no parameter chooses`,
		`[env, '-{{b}}', x]`:                             `run[1] is "-{{b}}", want an option of env`,
		`[timeout, 5, '{{b}}']`:                          `run[2] is "{{b}}", want the name of a program, which timeout runs`,
		`[timeout, -k, 5, '--signal', TERM, 9, '{{b}}']`: `run[6] is "{{b}}", want the name of a program`,
		`[/usr/bin/nice, -n, 5, '{{b}}']`:                `run[3] is "{{b}}", want the name of a program, which nice runs`,
		`[nohup, nice, timeout, 5, '{{b}}']`:             `run[4] is "{{b}}", want the name of a program, which timeout runs`,
		`[sudo, -u, me, --, '{{b}}']`:                    `run[4] is "{{b}}", want the name of a program, which sudo runs`,
		`[xargs, -0, -n, 1, '{{b}}']`:                    `run[4] is "{{b}}", want the name of a program, which xargs runs`,
		`[busybox, '{{b}}']`:                             `run[1] is "{{b}}", want the name of a program, which busybox runs`,
		`[runuser, -u, me, -c, '{{b}}']`:                 `run[4] is "{{b}}", want a text without placeholders`,
	} {
		_, err := jobs.Parse("f.yaml", []byte("jobs:\n  a:\n    params: {b: }\n    run: "+run+"\n"))
		if assert.Error(t, err, run) {
			assert.Contains(t, err.Error(), want, run)
		}
	}
	for _, run := range []string{
		`[env, x, '{{b}}']`, `[env, 'A={{b}}', x]`, `[env, -u, '{{b}}', x]`, `[timeout, '{{b}}', x]`, `[timeout, -k, 5, 9, x, '{{b}}']`,
		`[nice, '-n{{b}}', x]`, `[timeout, '--signal={{b}}', 5, x]`, `[sudo, -n, -u, '{{b}}', x]`, `[nohup, nice, x, '{{b}}']`,
	} {
		_, err := jobs.Parse("f.yaml", []byte("jobs:\n  a:\n    params: {b: }\n    run: "+run+"\n"))
		assert.NoError(t, err, run)
	}
}

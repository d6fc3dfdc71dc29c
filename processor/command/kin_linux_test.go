package command_test

import (
	"testing"
)

// Who has left the group of a program that is told to end is told, too, and so is what
// it has started; whatever they make of it.
func TestTimeLimitFindsStrays(t *testing.T) {
	t.Parallel()
	s := open(t, `
jobs:
  told:
    timeout: 300ms
    kill_after: 1h
    run: [sh, -c, 'setsid sh -c "trap \"echo told >told; exit\" TERM; echo \$\$ >stray; while :; do sleep 0.05; done" & echo $$ >pid; wait']
  killed:
    timeout: 300ms
    kill_after: 300ms
    run: [sh, -c, 'setsid sh -c "trap \"\" TERM; setsid sleep 600 & echo \$! >below; echo \$\$ >stray; wait; wait" & echo $$ >pid; trap "" TERM; wait; wait']
`)
	_, err := s.run(t, "told")
	temporarily(t, err, "it took longer")
	requireGone(t, s.pid(t, "stray"))
	s.read(t, "told")
	_, err = s.run(t, "killed")
	temporarily(t, err, "it took longer")
	requireGone(t, s.pid(t, "stray"))
	requireGone(t, s.pid(t, "below"))
}

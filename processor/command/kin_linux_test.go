package command_test

import (
	"testing"
)

// Who has left the group of a program that is told to end is told, too, and so is what
// it has started; whatever they make of it.
func TestTimeLimitFindsStrays(t *testing.T) {
	t.Parallel()
	const text = `
jobs:
  told:
    timeout: 6s
    kill_after: 1h
    run: [sh, -c, 'setsid sh -c "trap \"echo told >told; exit\" TERM; echo \$\$ >stray; while :; do sleep 0.05; done" & echo $$ >pid; wait']
  killed:
    timeout: 6s
    kill_after: 300ms
    run: [sh, -c, 'setsid sh -c "trap \"\" TERM; setsid sleep 600 & echo \$! >below; echo \$\$ >stray; wait; wait" & echo $$ >pid; trap "" TERM; wait; wait']
`
	for job, left := range map[string][]string{"told": {"stray"}, "killed": {"stray", "below"}} {
		t.Run(job, func(t *testing.T) {
			t.Parallel()
			s := open(t, text)
			_, err := s.run(t, job)
			temporarily(t, err, "it took longer")
			for _, file := range left {
				requireGone(t, s.pid(t, file))
			}
			if job == "told" {
				s.read(t, "told")
			}
		})
	}
}

package jobs_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		job  string // its fields; a timeout and the parameters a and b are added
		want []string
	}{
		{`run: [x, "{{a}}{{b}}"]`, nil},
		{`run: [x, "{{a}}"], env: {B: "{{b}}"}`, nil},
		{`run: [x, "{{a}}"], reduce: [y, "{{b}}"]`, nil},
		{`run: [x, "{{a}}"]`, []string{"parameter b is in none of its arguments and variables: programs see it on standard input, and as RAMIFY_PARAM_b, only"}},
		{`run: [docker, run, img, sh, -c, "ls {{a}}{{b}}"]`, []string{"sh would read ls {{a}}{{b}} as a program, and what a parameter holds as a part of it"}},
		{`run: [sh, -c, 'ls "$1" "$2"', sh, "{{a}}", "{{b}}"]`, nil},
		{`run: [python3.11, -c, "print('{{a}}{{b}}')"]`, []string{"python3.11 would read"}},
		{`run: [psql, -c, "select {{a}}{{b}}"]`, []string{"psql would read select"}},
		{`run: [perl, -ne, "{{a}}", "{{b}}"]`, []string{"perl would read {{a}}"}},
		{`run: [grep, -e, "{{a}}", "{{b}}"]`, nil},
		{`run: [cp, -r, "{{a}}", "{{b}}"]`, nil},
		{`run: [ssh, "{{a}}", "ls {{b}}"]`, []string{"the shell at the other end of ssh would read ls {{b}}"}},
		{`run: [gawk, "{{a}}", "{{b}}"]`, []string{"gawk would read {{a}} as a program"}},
		{`run: [watch, "ls {{a}}{{b}}"]`, []string{"watch would give ls {{a}}{{b}} to a shell"}},
		{`run: [flock, lock, -c, "ls {{a}}{{b}}"]`, []string{"flock would give ls {{a}}{{b}} to a shell"}},
		{`run: [flock, "{{a}}", ls, "{{b}}"]`, nil},
		{`run: [find, "{{a}}", -exec, "{{b}}", ";"]`, []string{"find would run the program that {{b}} names"}},
		{`run: [sh, "{{a}}", "{{b}}"]`, []string{"sh would run the script that {{a}} names"}},
		{`run: [sh, script, "{{a}}", "{{b}}"]`, nil},
		{`run: [sed, "s/{{a}}/x/", "{{b}}"]`, []string{"sed would read s/{{a}}/x/ as a program"}},
		{`run: [psql, "--command=select {{a}}{{b}}"]`, []string{"--command=select {{a}}{{b}} may be read as a program"}},
		{`run: [tar, "--to-command={{a}}", -xf, "{{b}}"]`, []string{"--to-command={{a}} may be read as a program"}},
		{`run: [cp, "--target-directory={{a}}", "{{b}}"]`, nil},
		{`shell: true, run: 'ls "$RAMIFY_PARAM_a" "x${RAMIFY_PARAM_b}y"'`, nil},
		{`shell: true, run: 'ls $RAMIFY_PARAM_a "$RAMIFY_PARAM_b" $RAMIFY_PARAM_a'`, []string{`$RAMIFY_PARAM_a is without quotes`}},
		{`shell: true, run: 'ls "$(cat $RAMIFY_PARAM_a)" "$(cat "$RAMIFY_PARAM_b")"'`, []string{`$RAMIFY_PARAM_a is without quotes`}},
		{`shell: true, run: 'ls "$RAMIFY_PARAM_a" "$RAMIFY_PARAM_b" "$RAMIFY_PARAM_c"'`, []string{"RAMIFY_PARAM_c is in its script, and it has no such parameter"}},
		{`shell: true, run: "echo '$RAMIFY_PARAM_a' \"$RAMIFY_PARAM_b\""`, []string{"$RAMIFY_PARAM_a is in single quotes"}},
		{`shell: true, run: 'eval "$RAMIFY_PARAM_a$RAMIFY_PARAM_b"'`, []string{"its script has eval: what a parameter holds could become a command"}},
		{`shell: true, run: 'x; sh -c "$RAMIFY_PARAM_a$RAMIFY_PARAM_b"'`, []string{"its script has sh -c"}},
		{"shell: true, run: '# $RAMIFY_PARAM_a\n\n  ls \\$RAMIFY_PARAM_a \"$RAMIFY_PARAM_b\"'", nil},
	} {
		f := parse(t, fmt.Sprintf("jobs:\n  j: {timeout: 1m, params: {a: , b: }, %s}\n", test.job))
		found := f.Check()
		if assert.Len(t, found, len(test.want), "%s: %v", test.job, found) {
			for i, want := range test.want {
				assert.Contains(t, found[i].Text, want)
				assert.Equal(t, "j", found[i].Job)
				assert.Equal(t, 2, found[i].Line)
			}
		}
	}
	found := parse(t, "jobs:\n  b:\n    run: [x]\n  a:\n    run: [x]\n    params: {p: }\n").Check()
	if assert.Len(t, found, 3) {
		assert.Equal(t, []int{2, 4, 6}, []int{found[0].Line, found[1].Line, found[2].Line})
		assert.Contains(t, found[0].Text, "it has no timeout")
	}
}

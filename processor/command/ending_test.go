//go:build unix

package command_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/processor/command"
	"github.com/ramify/ramify/processor/processortest"
	"github.com/ramify/ramify/schema"
)

// long is a time that nothing here comes near.
const long = 5 * time.Minute

// eventually asks until something holds: other processes tell us nothing.
func eventually(t *testing.T, holds func() bool, what string) {
	t.Helper()
	require.Eventually(t, holds, long, 5*time.Millisecond, what)
}

// pid reads the number of a process out of a file that it wrote.
func (s *shop) pid(t *testing.T, name string) (pid int) {
	t.Helper()
	eventually(t, func() bool {
		text, _ := os.ReadFile(filepath.Join(s.dir, name))
		line, whole := strings.CutSuffix(string(text), "\n")
		var err error
		pid, err = strconv.Atoi(line)
		return whole && err == nil
	}, "the number of a process in "+name)
	return pid
}

// requireGone waits until a process is no more, or only its parent has not looked.
func requireGone(t *testing.T, pid int) {
	t.Helper()
	eventually(t, func() bool {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return true
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err == nil && strings.Contains(string(stat), ") Z ")
	}, "the end of a process")
}

// At its time limit the whole group ends, whatever it makes of SIGTERM. Until then each
// has to have begun, and to have heard of its trap: on a busy machine that takes its time.
func TestTimeLimit(t *testing.T) {
	t.Parallel()
	const text = `
jobs:
  polite:
    timeout: 6s
    kill_after: 1h
    run: [sh, -c, 'trap "echo bye; exit 0" TERM; echo $$ >pid; while :; do sleep 0.05; done']
  stubborn:
    timeout: 6s
    kill_after: 200ms
    run: [sh, -c, 'trap "" TERM; sleep 600 & echo $! >grandchild; echo $$ >pid; while :; do sleep 0.05; done']
  survived:
    timeout: 6s
    kill_after: 200ms
    run: [sh, -c, '(trap "" TERM; while :; do sleep 0.05; done) & echo $! >grandchild; echo $$ >pid; sleep 600']
  listening:
    timeout: 6s
    kill_after: 1h
    run: [sh, -c, '(trap "sleep 0.3; echo cleaned >cleaned; exit" TERM; while :; do sleep 0.05; done) & sleep 600']
`
	for job, left := range map[string][]string{"polite": {"pid"}, "stubborn": {"pid", "grandchild"}, "survived": {"pid", "grandchild"}, "listening": nil} {
		t.Run(job, func(t *testing.T) {
			t.Parallel()
			s := open(t, text)
			_, err := s.run(t, job)
			temporarily(t, err, "run job "+job+": it took longer than its timeout, 6s")
			for _, file := range left {
				requireGone(t, s.pid(t, file))
			}
			if job == "listening" {
				assert.Equal(t, "cleaned\n", s.read(t, "cleaned"), "what a program started has until SIGKILL to end")
			}
		})
	}
}

// When the lease is lost or the task stops, so it is, too.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	s := open(t, `
jobs:
  wait:
    kill_after: 100ms
    run: [sh, -c, 'trap "" TERM; sleep 600 & echo $! >grandchild; echo $$ >pid; echo "{\"child\": {}}" >&3; wait; wait']
`)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("lease lost")
	ended := make(chan error)
	go func() {
		_, err := processortest.Run(ctx, s.set()[command.Kind], s.node("wait"))
		ended <- err
	}()
	s.pid(t, "pid")
	cancel(why)
	require.ErrorIs(t, <-ended, why)
	requireGone(t, s.pid(t, "pid"))
	requireGone(t, s.pid(t, "grandchild"))
}

// A program is over when it exits. What it left in its group ends with it; what
// left the group is not waited for, though it holds all pipes open.
func TestLeftBehind(t *testing.T) {
	t.Parallel()
	s := open(t, `
jobs:
  group: {run: [sh, -c, 'sleep 600 & echo $! >grandchild; echo "{\"count\": {\"objects\": 1}}" >&3']}
  daemon: {run: [sh, -c, 'setsid sh -c "echo \$\$ >daemon; exec sleep 600" & while ! [ -s daemon ]; do sleep 0.01; done; echo "{\"count\": {\"objects\": 2}}" >&3']}
  babbler: {run: [sh, -c, 'setsid sh -c "echo \$\$ >babbler; while :; do echo {\\\"row\\\": {}} >&3; done" & while ! [ -s babbler ]; do sleep 0.01; done']}
`)
	r, err := s.run(t, "group")
	require.NoError(t, err)
	assert.Equal(t, int64(1), r.Objects)
	requireGone(t, s.pid(t, "grandchild"))

	r, err = s.run(t, "daemon")
	require.NoError(t, err)
	assert.Equal(t, int64(2), r.Objects)
	require.NoError(t, syscall.Kill(s.pid(t, "daemon"), syscall.SIGKILL), "who left the group lives on")

	_, err = s.run(t, "babbler")
	_ = syscall.Kill(s.pid(t, "babbler"), syscall.SIGKILL)
	if err != nil { // its last line may be cut in the middle, which is an error as any
		permanently(t, err, "of what it said")
	}
}

// All that a program said before it exited is read, also where it said more than
// a pipe holds, and exited before anybody read.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	s := open(t, `
jobs:
  many: {run: [sh, -c, 'seq -f "{\"row\": {\"n\": %.0f}}" 200000 >&3']}
  few: {run: [sh, -c, 'seq -f "{\"child\": {\"id\": \"%.0f\"}}" 1000 >&3']}
`)
	r, err := s.run(t, "many")
	require.NoError(t, err)
	assert.Equal(t, 200_000, r.Streams["rows"].Rows)
	assert.True(t, strings.HasSuffix(string(r.Streams["rows"].Bytes()), "{\"n\": 200000}\n"))
	for range 20 {
		r, err = s.run(t, "few")
		require.NoError(t, err)
		require.Len(t, r.Children, 1000)
	}
}

// A program that reads nothing is no trouble, however much there is to read.
func TestUnreadInput(t *testing.T) {
	t.Parallel()
	s := open(t, `jobs: {x: {shell: true, params: {a: , b: , c: }, run: "exit 0"}, y: {params: {a: , b: , c: }, run: [wc, -c]}}`)
	much := strings.Repeat("x", 90<<10)
	_, err := s.run(t, "x", "a", much, "b", "", "c", "")
	require.NoError(t, err)
}

// Of 100 MB of output the beginning and the end are kept, in bounded memory, and
// stand in the error.
func TestMuchOutput(t *testing.T) {
	t.Parallel()
	s := open(t, `
jobs:
  loud:
    output: 8KiB
    run: [sh, -c, 'echo first; head -c 100000000 /dev/zero | tr "\0" x; echo; echo last; echo begin >&2; head -c 100000000 /dev/zero | tr "\0" y >&2; echo >&2; echo the reason >&2; exit 1']
  silent: {output: 0, run: [sh, -c, 'echo x; exit 1']}
`)
	_, err := s.run(t, "loud")
	var f *command.ExitError
	require.ErrorAs(t, err, &f)
	assert.Less(t, len(f.Stdout)+len(f.Stderr), 17<<10)
	assert.True(t, strings.HasPrefix(f.Stdout, "first\nxxx"))
	assert.True(t, strings.HasSuffix(f.Stdout, "xxx\nlast\n"))
	assert.Contains(t, f.Stdout, fmt.Sprintf("[… %d bytes left out …]", 100_000_000+6+1+5-8<<10))
	assert.True(t, strings.HasPrefix(err.Error(), "run job loud: exit code 1: begin\nyyy"))
	assert.True(t, strings.HasSuffix(err.Error(), "yyy\nthe reason"))
	assert.Less(t, len(err.Error()), 900)

	_, err = s.run(t, "silent")
	require.EqualError(t, err, "run job silent: exit code 1: [… 2 bytes left out …]")
}

// A program gets no secret that its job does not ask for.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	s := open(t, `
jobs:
  plain: {run: [sh, -c, 'env; exit 1']}
  some: {run: [sh, -c, 'env; exit 1'], inherit: [AWS_PROFILE, "GIT_*"], env: {LANG: de, X: "{{x}}"}, params: {x: a b}}
  all: {run: [sh, -c, 'env; exit 1'], inherit: "*"}
  ours: {run: [sh, -c, 'env; exit 1'], inherit: RAMIFY_SIGNING_KEY}
  path: {run: [mine], env: {PATH: bin}}
`)
	s.env = append(s.env, "RAMIFY_SIGNING_KEY=secret", "RAMIFY_RUN=r", "AWS_SECRET_ACCESS_KEY=secret", "AWS_PROFILE=p", "GIT_A=1", "GITHUB_TOKEN=secret", "LC_ALL=C", "LD_PRELOAD_NOT=x")
	ask := func(job string) string {
		t.Helper()
		_, err := s.run(t, job)
		var f *command.ExitError
		require.ErrorAs(t, err, &f)
		lines := strings.Split(strings.TrimSpace(f.Stdout), "\n")
		slices.Sort(lines)
		return strings.Join(slices.DeleteFunc(lines, func(l string) bool {
			return strings.HasPrefix(l, "PATH=") || strings.HasPrefix(l, "PWD=") || strings.HasPrefix(l, "_=") || strings.HasPrefix(l, "SHLVL=")
		}), " ")
	}
	key := schema.PIDOf("r1", schema.Place{}).String()
	assert.Equal(t, "HOME=/nowhere LANG=C LC_ALL=C RAMIFY_FD=3 RAMIFY_JOB=plain RAMIFY_KEY="+key, ask("plain"))
	assert.Equal(t, "AWS_PROFILE=p GIT_A=1 HOME=/nowhere LANG=de LC_ALL=C RAMIFY_FD=3 RAMIFY_JOB=some RAMIFY_KEY="+key+" RAMIFY_PARAM_x=a b X=a b", ask("some"))
	everything := ask("all")
	assert.Contains(t, everything, "AWS_SECRET_ACCESS_KEY=secret")
	assert.NotContains(t, everything, "RAMIFY_SIGNING_KEY")
	assert.NotContains(t, everything, "RAMIFY_RUN")
	assert.Contains(t, ask("ours"), "RAMIFY_SIGNING_KEY=secret")

	require.NoError(t, os.Mkdir(filepath.Join(s.dir, "bin"), 0o700))
	require.NoError(t, os.Symlink("/bin/false", filepath.Join(s.dir, "bin", "mine")))
	_, err := s.run(t, "path")
	temporarily(t, err, "exit code 1")
}

// No value of a parameter becomes more than data, wherever it stands.
func TestInjection(t *testing.T) {
	t.Parallel()
	s := open(t, `
jobs:
  args: {params: {v: }, run: [sh, -c, 'for a; do printf "%s\0" "$a"; done >got', sh, "--v={{v}}", "--", "{{v}}", "{{v}}{{v}}"]}
  env: {params: {v: }, run: [sh, -c, 'printf "%s\0" "$V" "$RAMIFY_PARAM_v" >got'], env: {V: "<{{v}}>"}}
  script: {params: {v: }, shell: true, run: 'printf "%s\0" "$RAMIFY_PARAM_v" >got'}
`)
	for _, v := range []string{
		"", " ", "a b", "'", `"`, `'"'"'`, "`touch pwned`", "$(touch pwned)", "${IFS}", "; touch pwned", "&& touch pwned", "| touch pwned", "> pwned",
		"\n touch pwned\n", "\r", "*", "~", "{{v}}", "{{w}}", "%s%n", `\`, `\x00`, "é\u2028", "--help", "-rf", "() { :; }; touch pwned", "PATH=/x", "=", "$RAMIFY_KEY",
	} {
		for job, want := range map[string][]string{"args": {"--v=" + v, "--", v, v + v}, "env": {"<" + v + ">", v}, "script": {v}} {
			_, err := s.run(t, job, "v", v)
			require.NoError(t, err, "%s %q", job, v)
			assert.Equal(t, strings.Join(want, "\x00")+"\x00", s.read(t, "got"), "%s %q", job, v)
		}
	}
	assert.NoFileExists(t, filepath.Join(s.dir, "pwned"))
}

// A program has its own descriptors and none of ours: a run's file is open in ours.
func TestDescriptors(t *testing.T) {
	t.Parallel()
	s := open(t, `jobs: {x: {run: [sh, -c, 'for n in 0 1 2 3 4 5 6 7 8 9; do ( : <&"$n" ) 2>/dev/null && echo "$n"; done; exit 1']}}`)
	ours, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer ours.Close()
	_, err = s.run(t, "x")
	var f *command.ExitError
	require.ErrorAs(t, err, &f)
	assert.Equal(t, "0\n1\n2\n3\n", f.Stdout)
}

// A program runs as who the job says, as nicely, and where.
func TestIdentity(t *testing.T) {
	t.Parallel()
	me, err := user.Current()
	require.NoError(t, err)
	s := open(t, `
jobs:
  me: {user: "`+me.Uid+`", run: [sh, -c, 'id -u >who; nice >>who; pwd >>who; echo $HOME >>who'], nice: 7, dir: sub}
  other: {user: nobody, run: [sh, -c, 'id -u; id -G; nice; echo $HOME $USER; exit 1'], nice: 3, dir: /}
`)
	require.NoError(t, os.Mkdir(filepath.Join(s.dir, "sub"), 0o700))
	_, err = s.run(t, "me")
	require.NoError(t, err)
	sub, err := filepath.EvalSymlinks(filepath.Join(s.dir, "sub"))
	require.NoError(t, err)
	assert.Equal(t, me.Uid+"\n7\n"+sub+"\n"+me.HomeDir+"\n", s.read(t, "sub/who"))

	nobody, err := user.Lookup("nobody")
	require.NoError(t, err)
	_, err = s.run(t, "other")
	if os.Geteuid() != 0 {
		permanently(t, err, "only root can run programs as somebody else")
		return
	}
	var f *command.ExitError
	require.ErrorAs(t, err, &f)
	assert.Equal(t, nobody.Uid+"\n"+nobody.Gid+"\n3\n"+nobody.HomeDir+" nobody\n", f.Stdout)
}

// What a program says stands in logs and messages: nothing of it commands a terminal.
func TestErrorsAreClean(t *testing.T) {
	err := &command.ExitError{Job: "j", Code: 1, Stderr: "a\x00b \x1b[31mred\xff\u202e\rend\n\tüñ\n"}
	assert.Equal(t, "run job j: exit code 1: a b  [31mred   end\n\tüñ", err.Error())
}

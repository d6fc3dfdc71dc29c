package integration

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ramify/ramify/s3serve"
)

// What a run, an authority and a queue of this machine leave behind is for nobody else to
// read, whatever the umask; results are for whoever it lets read them, and nothing is for
// others to write.
func TestUmask(t *testing.T) {
	t.Parallel()
	s := serve(t, sampleListing(t, 10), s3serve.Options{})
	for _, umask := range []string{"000", "022", "077"} {
		u := newUser(t, s.url)
		u.typed(t, "umask "+umask+" && ramify run s3://bucket/ --out out --run r && ramify ca init ca && ramify ca server ca localhost && ramify ca client ca alice && "+
			"ramify enqueue --local q true", 0)
		seen := map[string]int{}
		err := filepath.WalkDir(u.dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || path == u.dir {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			name, _ := filepath.Rel(u.dir, path)
			mode := info.Mode().Perm()
			var closed bool // to all others
			switch {
			case strings.HasPrefix(path, u.state()), strings.HasSuffix(name, ".key"), name == "ca":
				closed = true
				seen["secret"]++
			case strings.HasPrefix(name, "out"):
				closed = umask == "077"
				seen["result"]++
			}
			if mode&0o022 != 0 || closed && mode&0o077 != 0 {
				t.Errorf("umask %s: %s has mode %v", umask, name, mode)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if seen["secret"] < 6 || seen["result"] < 3 { // folder, run, queue, keys; manifest, checksum, data
			t.Errorf("umask %s: %v", umask, seen)
		}
	}
}

// No secret is in what commands print and log, in as many words as they have, nor in the
// files they leave.
func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	s := serve(t, sampleListing(t, 10), s3serve.Options{})
	u := newUser(t, s.url)
	signing := base64.StdEncoding.EncodeToString([]byte("signing-secret-signing-secret-32"))
	secrets := []string{"credential+hunter2", "session+hunter2", signing, "signing-secret", "token of hunter2", "password-hunter2"}
	u = u.with("AWS_SECRET_ACCESS_KEY=credential+hunter2", "AWS_SESSION_TOKEN=session+hunter2", "RAMIFY_SIGNING_KEY=k1:"+signing,
		"RAMIFY_TOKEN=a token of hunter2", "RAMIFY_SQL_DSN_AWAY=postgres://me:password-hunter2@127.0.0.1:1/db", "PATH="+os.Getenv("PATH"))
	u.write(t, "jobs.yaml", "jobs: {show: {params: {p: }, run: [sh, -c, 'env; env >&2; exit 1']}}")
	var said strings.Builder
	take := func(r result) {
		said.WriteString(r.stdout + r.stderr)
		if r.stdout+r.stderr == "" {
			t.Error("nothing was said")
		}
	}
	const tree = "?table=t&key=id&parent=p"
	take(u.run(t, "-v", "run", "s3://bucket/", "--out", "out", "--run", "fine"))
	take(u.with("AWS_ENDPOINT_URL_S3=http://127.0.0.1:1").run(t, "-v", "run", "s3://bucket/", "--run", "away"))
	for _, endpoint := range []string{"http://me:password-hunter2@127.0.0.1:1", "http://me:password-hunter2@127.0.0.1:1:2"} {
		e := u.with("AWS_ENDPOINT_URL="+endpoint, "AWS_ENDPOINT_URL_S3="+endpoint, "AWS_MAX_ATTEMPTS=1", "RAMIFY_QUEUE=queue", "RAMIFY_LEDGER=dynamodb:runs")
		take(e.with("RAMIFY_QUEUE=", "RAMIFY_LEDGER=").run(t, "-v", "run", "s3://bucket/", "--run", "named"))
		take(e.run(t, "-v", "seed", "s3://bucket/", "--no-check"))
		take(e.run(t, "-v", "status", "r"))
		take(u.run(t, "-v", "copy", "s3://bucket/", "s3://other/", "--to-endpoint", endpoint, "--run", "copied"))
	}
	take(u.run(t, "-v", "run", "sql:away"+tree))
	take(u.run(t, "-v", "run", "job:show?p=x", "--jobs", "jobs.yaml", "--retries", "1", "--run", "show"))
	take(u.run(t, "-v", "failed", "show"))
	take(u.run(t, "-v", "run", `{"kind":"webhook","id":"r"}`, "--webhook-url", "http://127.0.0.1:1/", "--retries", "1", "--run", "posted"))
	fleet := u.with("RAMIFY_QUEUE=q", "RAMIFY_LEDGER=dynamodb:t", "AWS_ENDPOINT_URL=http://127.0.0.1:1", "AWS_MAX_ATTEMPTS=1")
	take(fleet.run(t, "-v", "seed", "s3://bucket/", "--no-check"))
	take(fleet.run(t, "-v", "task"))
	take(fleet.with("RAMIFY_TOKEN=token of hunter2,short").run(t, "-v", "serve", "--jobs", "jobs.yaml"))
	take(fleet.with("RAMIFY_SIGNING_KEY="+signing).run(t, "-v", "task"))

	port := freePort(t)
	p := u.serving(t, "ramify -v serve --jobs jobs.yaml --listen 127.0.0.1:"+port, "serve begins")
	ask := "curl -sS http://127.0.0.1:" + port + `/jobs/show -H "Authorization: Bearer $T" -H 'Content-Type: application/json' -d '{"p": "1"}'`
	for _, token := range []string{"a token of hunter2", "not a token of hunter2"} {
		said.WriteString(u.with("T="+token).typed(t, ask, 0))
	}
	p.end(t)
	said.WriteString(p.stdout.String() + p.stderr.String())

	for _, secret := range secrets {
		if at := strings.Index(said.String(), secret); at >= 0 {
			t.Errorf("%q is in what was said: …%q", secret, said.String()[max(0, at-200):min(said.Len(), at+100)])
		}
	}
	err := filepath.WalkDir(u.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, secret := range secrets {
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("%q is in %s", secret, path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What somebody asks for is a line of audit that commands no terminal, whatever it is.
func TestAuditIsHarmless(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	u.write(t, "jobs.yaml", "jobs: {report: {run: ['true']}}")
	port := freePort(t)
	p := u.with("PATH="+os.Getenv("PATH")).serving(t, "ramify serve --jobs jobs.yaml --listen 127.0.0.1:"+port, "serve begins")
	// CSI of 8 bits and of two characters, a new line, and what turns the direction of writing.
	u.with("PATH="+os.Getenv("PATH")).typed(t, "curl -sS -X POST 'http://127.0.0.1:"+port+"/jobs/%C2%9B2J%1B%5B2J%0A%7B%22event%22:%22REQUEST%22%7D%E2%80%AE'", 0)
	p.end(t)
	audit := p.stdout.String()
	if strings.Count(audit, "\n") != 1 || !strings.Contains(audit, `"status":404`) || strings.ContainsAny(audit, "\u009b\x1b\u202e") {
		t.Errorf("audit: %q", audit)
	}
}

// A name is a file's, and a place in a table: none leads out of the folder of runs, where
// somebody else's run lies, by no command and not by the page.
func TestNamesLeadNowhere(t *testing.T) {
	t.Parallel()
	u := newUser(t, "").with("PATH=" + os.Getenv("PATH"))
	const tree = `{"kind":"synthetic","id":"0","args":{"depth":0,"fanout":1}}`
	u.run(t, "run", tree, "--run", "elsewhere", "--state", u.path("other")).requireCode(t, 0)
	folder, err := filepath.Rel(u.state(), u.path("other"))
	if err != nil {
		t.Fatal(err)
	}
	u.run(t, "status", "elsewhere", "--state", u.path("other")).requireCode(t, 0)
	names := []string{folder + "/elsewhere", u.path("other/elsewhere"), "..", ".", "-r", "a/../b", "a\nb", "%2e%2e"}
	for _, name := range names {
		for _, command := range [][]string{{"status"}, {"resume"}, {"report"}, {"run", tree, "--run"}} {
			r := u.run(t, append(slices.Clone(command), name)...)
			if r.code != 1 || strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("%s %q: exit code %d: %s", command[0], name, r.code, r.stderr)
			}
		}
	}
	port := freePort(t)
	u = u.with("RAMIFY_TOKEN=the token of this page", "PATH="+os.Getenv("PATH"))
	p := u.serving(t, "ramify serve --listen 127.0.0.1:"+port, "serve begins")
	for _, name := range names {
		for _, at := range []string{"/api/runs/%s", "/page/%s"} {
			answer := u.typed(t, "curl -sS --path-as-is -w ' %{http_code}' -H 'Authorization: Bearer the token of this page' 'http://127.0.0.1:"+port+fmt.Sprintf(at, url.PathEscape(name))+"'", 0)
			// What the mux cleans it sends to where there is nothing of a run.
			code := answer[strings.LastIndexByte(answer, ' ')+1:]
			if code != "404" && code != "400" && code != "307" || strings.Contains(answer, "synthetic") || strings.Contains(answer, u.dir) {
				t.Errorf("%s of %q is answered by %s", at, name, answer)
			}
		}
	}
	p.end(t)
}

package integration

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// signed is a body as whoever has a key signs it.
func signed(t *testing.T, key, body string) letter {
	t.Helper()
	name, text, _ := strings.Cut(key, ":")
	secret, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(body))
	return letter{body, map[string]string{
		"ramify-key": name, "ramify-sig": base64.RawURLEncoding.EncodeToString(mac.Sum(nil)),
	}}
}

// peek is a message that is in the queue, and stays there.
func (f *fleet) peek(t *testing.T) letter {
	t.Helper()
	out, err := f.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: f.main, MessageAttributeNames: []string{"All"}, WaitTimeSeconds: 20,
	})
	if err != nil || len(out.Messages) == 0 {
		t.Fatalf("received %d messages: %v", len(out.Messages), err)
	}
	// The SDK sends no zero with a receive: that would be the queue's own timeout.
	_, err = f.sqs.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: f.main, ReceiptHandle: out.Messages[0].ReceiptHandle})
	if err != nil {
		t.Fatal(err)
	}
	l := letter{body: *out.Messages[0].Body, attrs: map[string]string{}}
	for name, a := range out.Messages[0].MessageAttributes {
		l.attrs[name] = aws.ToString(a.StringValue)
	}
	return l
}

// What others send into the queue of a fleet that signs, while it walks, ends in
// the dead-letter queue, each once and with the reason; none of it is executed.
func TestFleetForeignMessages(t *testing.T) {
	t.Parallel()
	const poison = "foreign/" // is in every prefix that must not be asked for
	// Nothing is seen twice for being refused slowly: letters are counted.
	f := newFleet(t, fleetSettings{latency: 50 * time.Millisecond, env: []string{"RAMIFY_VISIBILITY=1m"}})
	run := "foreign-" + f.name
	end := f.crawl(t, run)
	genuine := f.peek(t)
	if want := signed(t, signingKey, genuine.body); genuine.attrs["ramify-sig"] != want.attrs["ramify-sig"] {
		t.Fatalf("the root is signed %q, want %q", genuine.attrs, want.attrs)
	}
	// node is a message like the root's, of a node that is not in the tree.
	node := func(name string, change ...string) string {
		body := strings.NewReplacer(
			`"s3://bucket/"`, `"s3://bucket/`+poison+name+`/"`, `"prefix":""`, `"prefix":"`+poison+name+`/"`,
			`"up":{"pid":"","slot":0}`, `"up":{"pid":"BBBBBBBBBBBBBBBBBBBBBA","slot":0},"hdr":{"k":2,"own":{},"up":{"pid":"","slot":0}}`,
			`"depth":0`, `"depth":1`,
		).Replace(genuine.body)
		if body = strings.NewReplacer(change...).Replace(body); !strings.Contains(body, poison) {
			t.Fatalf("the root is not as it was: %s", genuine.body)
		}
		return body
	}
	stranger := "test:" + base64.RawURLEncoding.EncodeToString([]byte("another secret, of as many bytes"))
	const unsigned = "not signed by a known key"
	letters := map[string]foreign{
		"a command line":         {letter{body: "touch " + f.path("executed")}, unsigned},
		"a signed command line":  {signed(t, signingKey, "touch "+f.path("executed")), "invalid character"},
		"truncated JSON":         {letter{body: genuine.body[:len(genuine.body)/2]}, unsigned},
		"signed truncated JSON":  {signed(t, signingKey, genuine.body[:len(genuine.body)/2]), "unexpected end"},
		"a body of 1 MiB":        {letter{body: strings.Repeat("x", 1<<20)}, unsigned},
		"an unknown version":     {signed(t, signingKey, node("version", `"v":1`, `"v":2`)), "v is"},
		"an unknown kind":        {signed(t, signingKey, node("kind", "s3.crawl", "s3.unknown")), "s3.unknown"},
		"a run that is not":      {signed(t, signingKey, node("run", run, run+"-not")), run + "-not"},
		"no sense":               {signed(t, signingKey, `{"v":1}`), "run is"},
		"no signature":           {letter{body: node("unsigned")}, unsigned},
		"a forged signature":     {signed(t, stranger, node("forged")), unsigned},
		"a replayed signature":   {letter{node("replayed"), genuine.attrs}, unsigned},
		"a key that nobody has":  {signed(t, strings.Replace(signingKey, "test:", "nobodys:", 1), node("stranger")), unsigned},
		"a signature of nothing": {letter{node("empty"), map[string]string{"ramify-key": "test", "ramify-sig": "-"}}, unsigned},
	}
	f.grow(t, 4)
	first := f.tasks[0].door
	first.until(t, "the walk to begin", func() bool { return len(first.asked()) > 20 })
	for _, l := range letters {
		f.post(t, l.letter)
	}
	f.post(t, genuine) // a message sent again, with its own signature, is a duplicate
	if s := f.state(t, run); s != "running" {
		t.Fatalf("the run is %s, too early for this test", s)
	}

	f.requireExact(t, run, f.awaitEnd(t, end))
	tasks := f.tasks
	f.drain(t)
	for _, p := range tasks {
		for _, prefix := range p.door.asked() {
			if strings.Contains(prefix, poison) {
				t.Errorf("prefix %q of a foreign message was listed", prefix)
			}
		}
	}
	if _, err := os.Stat(f.path("executed")); err == nil {
		t.Error("a command line was executed")
	}
	f.requireLetters(t, letters)
}

// foreign is a message that must not be executed, and a part of the reason why.
type foreign struct {
	letter
	reason string
}

// requireLetters fails the test unless exactly these are in the dead-letter queue,
// each once, as it was sent and with the reason.
func (f *fleet) requireLetters(t *testing.T, want map[string]foreign) {
	t.Helper()
	got := f.deadLetters(t)
	if len(got) != len(want) {
		t.Errorf("%d dead letters, want %d", len(got), len(want))
	}
	for what, w := range want {
		n := 0
		for _, l := range got {
			// What has no room for the reason is cut, and says so.
			cut := l.attrs["ramify-cut"] != "" && len(w.body) > 1<<19 && strings.HasPrefix(w.body, l.body)
			if l.body != w.body && !cut || l.attrs["ramify-sig"] != w.attrs["ramify-sig"] {
				continue
			}
			n++
			if why := l.attrs["ramify-reason"]; !strings.Contains(why, w.reason) {
				t.Errorf("%s is there because %q, want %q", what, why, w.reason)
			}
		}
		if n != 1 {
			t.Errorf("%s is in the dead-letter queue %d times", what, n)
		}
	}
}

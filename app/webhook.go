package app

import (
	"cmp"
	"context"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ramify/ramify/keyring"
	"github.com/ramify/ramify/keyring/secretsmanager"
	"github.com/ramify/ramify/processor"
	hook "github.com/ramify/ramify/processor/webhook"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/webhook"
)

// webhookFlags say which application does the work of nodes. They are the task's:
// nothing of them stands in a message.
type webhookFlags struct {
	WebhookURL            string `name:"webhook-url" group:"Webhooks" help:"The application that nodes of kind webhook are posted to, on this machine." placeholder:"URL"`
	WebhookKinds          string `name:"webhook-kinds" group:"Webhooks" help:"More kinds of nodes that are posted there." placeholder:"KIND,…"`
	WebhookType           string `name:"webhook-type" group:"Webhooks" help:"Content type of what is posted." default:"application/json" placeholder:"TYPE"`
	WebhookConnections    string `name:"webhook-connections" group:"Webhooks" help:"Requests to the application at a time." default:"50" placeholder:"N"`
	WebhookConnectTimeout string `name:"webhook-connect-timeout" group:"Webhooks" help:"Time to wait for a connection." default:"5s" placeholder:"DURATION"`
	WebhookTimeout        string `name:"webhook-timeout" group:"Webhooks" help:"Time to wait for the application to send something." default:"180s" placeholder:"DURATION"`
	WebhookHealth         string `name:"webhook-health" group:"Webhooks" help:"Path that answers 200 once the application is up; awaited before the first node (default: none)." placeholder:"PATH"`
	WebhookAllowRemote    bool   `name:"webhook-allow-remote" group:"Webhooks" help:"The application may be on another machine."`
}

// application is where nodes are posted to. What it needs besides the flags is known
// only after they were read.
type application struct {
	o      webhook.Options
	kinds  []string // that it is for, besides hook.Kind
	queue  string   // what it is told of where nodes wait
	client *webhook.Client
}

// Post implements hook.Poster.
func (a *application) Post(ctx context.Context, w *webhook.Work) (webhook.Answer, error) {
	w.Queue = a.queue
	return a.client.Post(ctx, w)
}

// open makes the client, once the keys are known.
func (a *application) open(keys *schema.Keyring, queue string) {
	if a == nil {
		return
	}
	a.o.Keys, a.queue = keys, queue
	a.client = webhook.NewClient(a.o)
}

// addTo registers the processor: without an application its nodes say what is missing.
func (a *application) addTo(set processor.Set) error {
	if a == nil {
		set[hook.Kind] = hook.New(hook.Options{})
		return nil
	}
	p := hook.New(hook.Options{Poster: a})
	set[hook.Kind] = p
	for _, kind := range a.kinds {
		if _, taken := set[kind]; taken {
			return usagef("%s is %q, but %s is a kind that ramify processes itself; want another name",
				named("webhook-kinds", strings.Join(a.kinds, ",")), strings.Join(a.kinds, ","), kind)
		}
		set[kind] = p
	}
	return nil
}

// read reads the flags; nil without a URL.
func (f *webhookFlags) read() (*application, error) {
	a := &application{o: webhook.Options{Remote: f.WebhookAllowRemote, Type: f.WebhookType, Health: f.WebhookHealth}}
	if strings.Contains(f.WebhookURL, "@") { // what is wrong would be said with the password in it
		return nil, usagef("%s has a user in it: want http://localhost:PORT/PATH, and requests signed by RAMIFY_SIGNING_KEY", named("webhook-url", f.WebhookURL))
	}
	err := readSettings([]setting{
		{"webhook-url", f.WebhookURL, applicationURL(&a.o.URL)},
		{"webhook-kinds", f.WebhookKinds, kindNames(&a.kinds)},
		{"webhook-type", f.WebhookType, headerValue},
		{"webhook-connections", f.WebhookConnections, number(&a.o.Connections, 1, 1000)},
		{"webhook-connect-timeout", f.WebhookConnectTimeout, duration(&a.o.Connect, time.Second, time.Minute)},
		{"webhook-timeout", f.WebhookTimeout, duration(&a.o.Inactivity, time.Second, 10*time.Hour)},
		{"webhook-health", f.WebhookHealth, func(v string) (string, bool) {
			return "a path, such as /healthy", v == "" || webhook.CheckPath(v) == nil
		}},
	})
	if err != nil {
		return nil, err
	}
	if f.WebhookURL == "" {
		if f.WebhookKinds != "" {
			return nil, usagef("%s is %q, but it is not said where they are posted: set --webhook-url", named("webhook-kinds", f.WebhookKinds), f.WebhookKinds)
		}
		return nil, nil
	}
	return a, nil
}

// posts reports whether nodes of a kind are posted to an application.
func (f *webhookFlags) posts(kind string) bool {
	if kind == hook.Kind {
		return true
	}
	var kinds []string
	_, _ = kindNames(&kinds)(f.WebhookKinds)
	for _, k := range kinds {
		if k == kind {
			return true
		}
	}
	return false
}

// applicationURL reads where an application is.
func applicationURL(into **url.URL) func(string) (string, bool) {
	return func(v string) (string, bool) {
		if v == "" {
			return "", true
		}
		u, err := webhook.ParseURL(v)
		*into = u
		return "http://localhost:PORT/PATH, without user, query and fragment", err == nil
	}
}

// kindNames reads names of kinds.
func kindNames(into *[]string) func(string) (string, bool) {
	return func(v string) (string, bool) {
		const want = "names of kinds, such as thumbnails, with commas between them"
		*into = nil
		if v == "" {
			return want, true
		}
		for kind := range strings.SplitSeq(v, ",") {
			kind = strings.TrimSpace(kind)
			if schema.CheckKind(kind) != nil {
				return want, false
			}
			*into = append(*into, kind)
		}
		return want, true
	}
}

func headerValue(v string) (string, bool) {
	for i := range len(v) {
		if v[i] < ' ' || v[i] > '~' {
			return "a content type, such as application/json", false
		}
	}
	return "", v != ""
}

// addWebhook adds what posts nodes to an application, in a run of this machine. The
// keys are those that a fleet's messages are signed with.
func (w *work) addWebhook(ctx context.Context, kind string) error {
	flags := cmp.Or(w.hooks, &webhookFlags{})
	var a *application
	if w.hooks != nil {
		var err error
		if a, err = flags.read(); err != nil {
			return err
		}
	}
	if a == nil && flags.posts(kind) && !w.seeds {
		return usagef("nodes of kind %s are posted to an application, and it is not said to which: set --webhook-url or RAMIFY_WEBHOOK_URL", kind)
	}
	if a != nil && !w.seeds {
		keys, err := openKeyring(ctx, os.Getenv(keyring.Var), nil, w.log)
		if err != nil {
			return err
		}
		a.open(keys.Keyring(), "ramify")
	}
	return a.addTo(w.set)
}

// openKeyring reads keys from where a value says. A nil configuration is loaded where
// it is needed.
func openKeyring(ctx context.Context, value string, cfg *aws.Config, log *slog.Logger) (*keyring.Watch, error) {
	o := keyring.Options{Log: log}
	if cfg == nil && inSecrets(value) {
		loaded, err := s3client.LoadConfig(ctx)
		if err != nil {
			return nil, err
		}
		cfg = &loaded
	}
	if cfg != nil {
		o.Secrets = secretsmanager.New(*cfg)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	keys, err := keyring.Open(ctx, value, o)
	if err != nil && !inSecrets(value) {
		return nil, usageError{err}
	}
	return keys, err
}

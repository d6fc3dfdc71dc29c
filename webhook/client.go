package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ramify/ramify/schema"
)

// Defaults are the daemon's. Source: Elastic Beanstalk Developer Guide, "Elastic
// Beanstalk worker environments", "Configuring worker environments".
const (
	DefaultType        = "application/json"
	DefaultConnections = 50
	DefaultConnect     = 5 * time.Second
	DefaultInactivity  = 180 * time.Second
	DefaultMaxAnswer   = 4 << 20
)

const (
	maxHead   = 64 << 10 // bytes of the header of a response
	maxReason = 300      // bytes of what people are told of a failure
	maxRetry  = 12 * time.Hour
	askAgain  = 500 * time.Millisecond // between two looks at the health path
)

// Options of a Client.
type Options struct {
	URL         *url.URL        // where the application is, as ParseURL reads it
	Type        string          // content type of the bodies; default DefaultType
	Connections int             // requests at a time; default DefaultConnections
	Connect     time.Duration   // to wait for a connection; default DefaultConnect
	Inactivity  time.Duration   // to wait for the application to send something; default DefaultInactivity
	Health      string          // path that answers 200 once the application is up; "": it is taken to be
	Patience    time.Duration   // to wait for that; default 1 min
	Remote      bool            // addresses that are not loopback are allowed
	Rooted      bool            // a path of the work takes the place of the URL's, as with the daemon; else it is below that
	MaxAnswer   int64           // bytes of an Answer; default DefaultMaxAnswer
	Keys        *schema.Keyring // nil: requests are not signed
	Now         func() time.Time
}

// Client posts to one application. Many goroutines may use it.
type Client struct {
	o      Options
	http   *http.Client
	slots  chan struct{} // of requests
	asking chan struct{} // whether it is up: one at a time

	mu sync.Mutex
	up bool // the health path has answered since the last connection that failed
}

// ParseURL reads where an application is: http or https, without user, query and
// fragment. That it is on this machine is checked as connections are made.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("it is not a URL, such as http://localhost:8000/jobs")
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return nil, errors.New("want http:// or https://, a host and a path, such as http://localhost:8000/jobs")
	case u.User != nil:
		return nil, errors.New("want no user and password in it: requests are signed instead")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("want no query and no fragment")
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

// NewClient makes a client. It asks nobody yet.
func NewClient(o Options) *Client {
	if o.Type == "" {
		o.Type = DefaultType
	}
	if o.Connections <= 0 {
		o.Connections = DefaultConnections
	}
	if o.Connect <= 0 {
		o.Connect = DefaultConnect
	}
	if o.Inactivity <= 0 {
		o.Inactivity = DefaultInactivity
	}
	if o.Patience <= 0 {
		o.Patience = time.Minute
	}
	if o.MaxAnswer <= 0 {
		o.MaxAnswer = DefaultMaxAnswer
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Client{
		o: o, slots: make(chan struct{}, o.Connections), asking: make(chan struct{}, 1), up: o.Health == "",
		http: &http.Client{
			Transport: transport(&o),
			// A redirect would take the body, and the signature, elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close closes connections that are idle.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Work is one piece of work.
type Work struct {
	ID       string    // names it in all attempts
	Queue    string    // where it waited
	Received time.Time // when it was first received; zero: not said
	Receives int       // attempts, this one included
	Sender   string
	Task     string            // name of a periodic task
	At       string            // when that was due
	Path     string            // where to post, as CheckPath takes it; "": to the URL
	Attrs    map[string]string // become X-Aws-Sqsd-Attr-…
	Body     []byte
}

// StatusError is an answer that is not 200.
type StatusError struct {
	Code   int
	Reason string        // what the application says of it, or its status line
	After  time.Duration // Retry-After; 0: none
	GiveUp bool          // the application says that no retry will mend it
}

func (s *StatusError) Error() string { return s.Reason }

// ErrAnswer says that the application has answered 200 with an Answer that is too
// large or cannot be read: the work is done, and what came of it is not known.
var ErrAnswer = errors.New("the answer cannot be used")

// Post hands one piece of work to the application, once it is up, and waits for its
// answer. The error is a *StatusError where it is not 200, wraps ErrUnreachable where
// nothing was sent, ErrAnswer where the answer is of no use, and the cause of ctx
// when it ends.
func (c *Client) Post(ctx context.Context, w *Work) (Answer, error) {
	if err := checkWork(w); err != nil {
		return Answer{}, err
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
	if err := c.Await(ctx); err != nil {
		return Answer{}, err
	}
	a, err := c.post(ctx, w)
	switch {
	case ctx.Err() != nil && err != nil:
		return Answer{}, context.Cause(ctx)
	case errors.Is(err, ErrUnreachable):
		c.setUp(c.o.Health == "")
	}
	return a, err
}

// checkWork says what is wrong with a piece of work; all else is made harmless.
func checkWork(w *Work) error {
	if w.Path == "" {
		return nil
	}
	return CheckPath(w.Path)
}

func (c *Client) post(ctx context.Context, w *Work) (Answer, error) {
	base := c.o.URL
	if c.o.Rooted && w.Path != "" {
		base = &url.URL{Scheme: base.Scheme, Host: base.Host}
	}
	at := join(base, w.Path)
	ctx, silence := c.watch(ctx)
	defer silence.stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at.String(), strings.NewReader(string(w.Body)))
	if err != nil {
		return Answer{}, fmt.Errorf("post to %s: %w", at, err)
	}
	c.fill(req, w)
	resp, err := c.http.Do(req)
	if err != nil {
		return Answer{}, fmt.Errorf("post to %s: %w", at, plain(ctx, err))
	}
	defer resp.Body.Close()
	body, err := c.read(resp, silence)
	if err != nil {
		if !errors.Is(err, ErrAnswer) {
			err = plain(ctx, err)
		}
		return Answer{}, fmt.Errorf("post to %s: %w", at, err)
	}
	if resp.StatusCode != http.StatusOK {
		return Answer{}, c.status(at, resp, body)
	}
	if body == nil {
		return Answer{}, nil
	}
	a, err := ReadAnswer(body)
	if err == nil && (a.Error != "" || a.GiveUp) { // to take it for done would lose the node
		err = &schema.FieldError{Field: "error", Value: cleaned(a.Error), Want: "none with status 200, which says that the work is done"}
	}
	if err != nil {
		return Answer{}, fmt.Errorf("post to %s: %w: %w", at, ErrAnswer, err)
	}
	return a, nil
}

// fill makes the headers.
func (c *Client) fill(req *http.Request, w *Work) {
	h := req.Header
	h.Set("User-Agent", UserAgent)
	h.Set("Content-Type", c.o.Type)
	h.Set("Accept", AnswerType+", */*;q=0.1")
	setHeader(h, HeaderMessage, w.ID)
	setHeader(h, HeaderQueue, w.Queue)
	if !w.Received.IsZero() {
		h.Set(HeaderReceived, w.Received.UTC().Format(time.RFC3339))
	}
	if w.Receives > 0 {
		h.Set(HeaderReceives, strconv.Itoa(w.Receives))
	}
	setHeader(h, HeaderSender, w.Sender)
	setHeader(h, HeaderTask, w.Task)
	setHeader(h, HeaderAt, w.At)
	if w.Task != "" {
		setHeader(h, HeaderPath, w.Path)
	}
	for name, value := range w.Attrs {
		if isToken(name) {
			setHeader(h, HeaderAttr+name, value)
		}
	}
	sign(c.o.Keys, h, req.URL.EscapedPath(), w.Body, c.o.Now())
}

// read reads as much of a response as is of use: nil where that is nothing.
func (c *Client) read(resp *http.Response, s *silence) ([]byte, error) {
	t, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	r := &heard{resp.Body, s}
	if t != AnswerType {
		if resp.StatusCode == http.StatusOK {
			// Read to its end, the connection can be used again; what is longer is cut off.
			_, _ = io.CopyN(io.Discard, r, 64<<10)
			return nil, nil
		}
		body, _ := io.ReadAll(io.LimitReader(r, 2*maxReason))
		return body, nil
	}
	body, err := io.ReadAll(io.LimitReader(r, c.o.MaxAnswer+1))
	if err == nil && resp.StatusCode == http.StatusOK && int64(len(body)) > c.o.MaxAnswer {
		err = fmt.Errorf("%w: it has more than %d bytes", ErrAnswer, c.o.MaxAnswer)
	}
	return body, err
}

// status is a response that is not 200, with what it says of itself.
func (c *Client) status(at *url.URL, resp *http.Response, body []byte) *StatusError {
	s := &StatusError{Code: resp.StatusCode, After: c.retryAfter(resp.Header.Get("Retry-After"))}
	why := string(body)
	if a, err := ReadAnswer(body); err == nil {
		why, s.GiveUp = a.Error, a.GiveUp
	}
	if why = cleaned(why); len(why) > maxReason {
		why = strings.ToValidUTF8(why[:maxReason], "") + "…"
	}
	s.Reason = strings.TrimSuffix(fmt.Sprintf("post to %s: it answers %s: %s", at, resp.Status, why), ": ")
	return s
}

// retryAfter reads seconds or a date. Source: RFC 9110, "Retry-After".
func (c *Client) retryAfter(value string) time.Duration {
	if n, err := strconv.ParseUint(value, 10, 31); err == nil {
		return min(time.Duration(n)*time.Second, maxRetry)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(c.o.Now()), 0), maxRetry)
	}
	return 0
}

// plain is an error without the method and URL that http.Client puts before it, and
// the cause of a context that has ended in the place of its end.
func plain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

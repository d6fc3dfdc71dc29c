package app

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/ramify/ramify/ledger/dynamodb"
	"github.com/ramify/ramify/queue/sqs"
)

// rarely logs trouble, which is repeated, once in a while.
type rarely struct {
	log *slog.Logger

	mu     sync.Mutex
	next   time.Time
	hushed int
}

func (r *rarely) trouble(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Before(r.next) {
		r.hushed++
		return
	}
	r.log.Warn("trouble; it is tried again", "error", err, "others", r.hushed)
	r.next, r.hushed = now.Add(troubleEvery), 0
}

const troubleEvery = 5 * time.Second

// How long trouble that no repetition mends must last. A policy that was just
// changed is not everywhere at once, and a role may be about to get it back.
const (
	plightUnwell = time.Minute
	plightEnds   = 5 * time.Minute
	plightGap    = 2 * time.Minute // without such trouble, and it is over; receives that fail are further apart the longer they do
)

// plight is trouble that no repetition mends: a queue or a table that is gone,
// credentials that are not accepted any more. A task that goes on in it would look
// well and do nothing, for ever; so after a while it says that it is not, and ends,
// so that whoever runs it sees why, and may start one with other credentials.
type plight struct {
	ends chan error // told once

	mu           sync.Mutex
	since, until time.Time // of the first and the last such trouble; zero: none
	last         error
}

// noCredentials is in the error of every request once credentials have run out and
// whoever gives them does not; it has no type. Source: aws-sdk-go-v2,
// aws.CredentialsCache.
const noCredentials = "failed to refresh cached credentials"

func newPlight() *plight { return &plight{ends: make(chan error, 1)} }

func (p *plight) trouble(err error) {
	if !sqs.Permanent(err) && !dynamodb.Permanent(err) && !strings.Contains(err.Error(), noCredentials) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.since.IsZero() || now.Sub(p.until) > plightGap {
		p.since = now
	}
	p.until, p.last = now, err
	if now.Sub(p.since) < plightEnds {
		return
	}
	select {
	case p.ends <- fmt.Errorf("the task cannot go on, for %s now: %w", now.Sub(p.since).Round(time.Second), err):
	default:
	}
}

// well is told that work has come to its end.
func (p *plight) well() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since, p.until, p.last = time.Time{}, time.Time{}, nil
}

// alive is the answer to health checks.
func (p *plight) alive() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since.IsZero() || time.Since(p.until) > plightGap || p.until.Sub(p.since) < plightUnwell {
		return nil
	}
	return p.last
}

package keyring

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ramify/ramify/schema"
)

const (
	defaultEvery = 5 * time.Minute
	leastPause   = time.Minute     // between two looks because of unknown keys
	patience     = 5 * time.Second // for one look
)

// ErrStopped is the cause with which a look ends that is under way at Stop.
var ErrStopped = errors.New("the signing keys are not watched any more")

// Watch is the keys as they are now. It looks for others once in a while, and
// when a message names a key that it does not know, at most once a minute; the
// message is verified when it has looked. While the keys cannot be read, those
// that were read last stay valid.
type Watch struct {
	o      Options
	source source          // nil: the keys cannot change
	ring   *schema.Keyring // nil: none

	ctx    context.Context
	cancel context.CancelCauseFunc
	done   sync.WaitGroup

	looking sync.Mutex
	keys    []schema.Key
	looked  time.Time
	failing bool // the last look failed, which has been logged
}

func newWatch(ctx context.Context, o Options) *Watch {
	if o.Every <= 0 {
		o.Every = defaultEvery
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	w := &Watch{o: o, looked: time.Now()}
	w.ctx, w.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return w
}

// Keyring is the keys, to sign and to verify with. It is the same one whatever
// keys it has; nil if there are none.
func (w *Watch) Keyring() *schema.Keyring { return w.ring }

// Start looks once in a while, until Stop.
func (w *Watch) Start() {
	if w.source == nil {
		return
	}
	w.done.Go(func() {
		tick := time.NewTicker(w.o.Every)
		defer tick.Stop()
		for {
			select {
			case <-w.ctx.Done():
				return
			case <-tick.C:
				w.looking.Lock()
				w.look()
				w.looking.Unlock()
			}
		}
	})
}

// Stop ends the service. The keys stay as they are.
func (w *Watch) Stop() {
	w.cancel(ErrStopped)
	w.done.Wait()
}

// unknown looks because a message names a key that is not there, or waits for a
// look that is under way.
func (w *Watch) unknown(string) {
	w.looking.Lock()
	defer w.looking.Unlock()
	if time.Since(w.looked) < leastPause || w.ctx.Err() != nil {
		return
	}
	w.look()
}

// look reads the keys and puts them into the ring; w.looking is held.
func (w *Watch) look() {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	keys, err := w.source.read(ctx)
	w.looked = time.Now()
	if err == nil && !slices.EqualFunc(keys, w.keys, same) {
		if err = w.ring.Replace(keys...); err == nil {
			w.keys = keys
			w.o.Log.Info("signing keys changed", "from", w.source.String(), "keys", names(keys))
		}
	}
	switch {
	case w.ctx.Err() != nil:
	case err != nil && !w.failing:
		w.o.Log.Warn("signing keys cannot be read again, those read before stay valid", "from", w.source.String(), "error", err)
	case err == nil && w.failing:
		w.o.Log.Info("signing keys can be read again", "from", w.source.String())
	}
	w.failing = err != nil
}

func same(a, b schema.Key) bool { return a.ID == b.ID && bytes.Equal(a.Secret, b.Secret) }

func names(keys []schema.Key) []string {
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
	}
	return ids
}

package post_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/queue/hostile"
	"github.com/ramify/ramify/schema"
)

func letter(id string) post.Letter {
	return post.Letter{Message: schema.Message{
		V: schema.Version, Run: "run", Op: schema.OpNode, Kind: "k", ID: id, MID: schema.NewMID(), Share: schema.Whole,
	}}
}

func receiveAll(t *testing.T, q queue.Queue) []*schema.Message {
	t.Helper()
	var all []*schema.Message
	for {
		got, err := q.Receive(t.Context(), queue.Request{Max: 10, Visibility: time.Hour})
		require.NoError(t, err)
		if len(got) == 0 {
			return all
		}
		for _, d := range got {
			m, err := schema.Parse(d.Body)
			require.NoError(t, err)
			all = append(all, m)
		}
	}
}

func TestSentOnceAsOriginals(t *testing.T) {
	q := hostile.New(1, hostile.Faults{})
	p := post.Poster{Queue: q}
	require.NoError(t, p.Send(t.Context(), letter("a"), letter("b")))
	got := receiveAll(t, q)
	require.Len(t, got, 2)
	for _, m := range got {
		assert.Equal(t, schema.PostOriginal, m.Re)
	}
}

// What may have been sent twice says so, except for one copy; and the copies of a
// retried message stay one message.
func TestSentAgainAsPossibleDuplicates(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			q := hostile.New(seed, hostile.Faults{Send: hostile.Loss{Before: 0.3, After: 0.3, Half: 0.3}})
			p := post.Poster{Queue: q}
			retried := letter("retried")
			retried.Message.Re, retried.Copy = schema.PostAgain, true
			letters := []post.Letter{retried}
			for range 25 {
				letters = append(letters, letter("original"))
			}
			require.NoError(t, p.Send(t.Context(), letters...))
			q.Set(hostile.Faults{})
			mids, originals := map[schema.MID]bool{}, 0
			for _, m := range receiveAll(t, q) {
				if m.ID == "retried" {
					assert.Equal(t, retried.Message.MID, m.MID)
					assert.Equal(t, schema.PostAgain, m.Re)
					continue
				}
				assert.False(t, mids[m.MID], "two posts with one id")
				mids[m.MID] = true
				if m.Re == schema.PostOriginal {
					originals++
				}
			}
			assert.LessOrEqual(t, originals, 25)
			assert.GreaterOrEqual(t, len(mids), 25, "each was sent")
		})
	}
}

func TestTooLargeEndsAtOnce(t *testing.T) {
	p := post.Poster{Queue: hostile.New(1, hostile.Faults{})}
	big := letter("big")
	big.Message.Args = schema.Args(`{"a":"` + strings.Repeat("x", 1<<20) + `"}`)
	err := p.Send(t.Context(), big)
	require.Error(t, err)
	var field *schema.FieldError
	assert.True(t, errors.As(err, &field) || errors.Is(err, queue.ErrTooLarge), "%v", err)
}

func TestWhatCanNeverBeSentEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := post.Poster{Queue: hostile.New(1, hostile.Faults{})}
		late := letter("late")
		late.Delay = 24 * time.Hour
		began := time.Now()
		require.ErrorIs(t, p.Send(t.Context(), letter("fine"), late), queue.ErrInvalid)
		assert.Zero(t, time.Since(began))
	})
}

func TestChildrenAreSignedAndShareTheirParentsPart(t *testing.T) {
	keys, err := schema.NewKeyring(schema.Key{ID: "k", Secret: make([]byte, 32)})
	require.NoError(t, err)
	q := hostile.New(1, hostile.Faults{})
	group := schema.GroupPID(schema.PID{1}, 2, 0, 0)
	parent := post.Parent{
		Run: "run", Kind: "wide", Epoch: 0, Share: schema.Whole,
		Plan: &ledger.Plan{PID: schema.PID{1}, Depth: 3, Kids: []ledger.Kid{
			{Kind: "k", ID: "child", Deeper: 1},
			{Kind: "k", ID: "rest", Weight: 2},
			{ID: "0", Group: &group, Count: 9, Deeper: 1},
		}},
		Header: schema.Header{Required: 3},
	}
	p := post.Poster{Queue: q, Keys: keys}
	require.NoError(t, p.Send(t.Context(), parent.Children(ledger.FirstSlots(3))...))
	got, err := q.Receive(t.Context(), queue.Request{Max: 10, Visibility: time.Hour})
	require.NoError(t, err)
	require.Len(t, got, 3)
	var sum schema.Share
	for _, d := range got {
		require.NoError(t, keys.Verify(d.Body, d.Attrs))
		m, err := schema.Parse(d.Body)
		require.NoError(t, err)
		sum += m.Share
		switch m.ID {
		case "child":
			assert.Equal(t, 4, m.Depth)
		case "rest":
			assert.Equal(t, 3, m.Depth)
		default:
			assert.Equal(t, schema.OpGroup, m.Op)
			assert.Equal(t, "wide", m.Kind)
			assert.Equal(t, group, m.PID())
		}
	}
	assert.Equal(t, schema.Whole, sum)
}

package nodelist_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/nodelist"
	"github.com/ramify/ramify/processor/processortest"
	"github.com/ramify/ramify/schema"
)

// numbers is a source of n children that fails before the bad one, if there is one.
func numbers(n, bad int) nodelist.Source {
	return func(context.Context, *processor.Node) iter.Seq2[processor.Child, error] {
		return func(yield func(processor.Child, error) bool) {
			for i := range n {
				if i == bad {
					yield(processor.Child{}, errors.New("disk is away"))
					return
				}
				if !yield(processor.Child{Kind: "k", ID: fmt.Sprint(i)}, nil) {
					return
				}
			}
		}
	}
}

func run(t *testing.T, s nodelist.Source, args string) (*processortest.Result, error) {
	return processortest.Run(t.Context(), nodelist.New(s), &processor.Node{Kind: nodelist.Kind, Args: schema.Args(args)})
}

func TestList(t *testing.T) {
	got, err := run(t, numbers(1000, -1), `{"count":1000}`)
	require.NoError(t, err)
	require.Len(t, got.Children, 1000)
	assert.Equal(t, processor.Child{Kind: "k", ID: "999"}, got.Children[999])

	_, err = run(t, numbers(1000, 500), `{"count":1000}`)
	require.EqualError(t, err, "read list: disk is away")
	assert.False(t, processor.IsPermanent(err))
	for _, count := range []string{"999", "1001"} {
		_, err = run(t, numbers(1000, -1), `{"count":`+count+`}`)
		require.ErrorContains(t, err, `read list: count is "`+count+`", want 1000, as are kept with the run`)
		assert.True(t, processor.IsPermanent(err))
	}
	_, err = run(t, numbers(1, -1), `{`)
	assert.True(t, processor.IsPermanent(err))
}

package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/queue/sqs"
)

var (
	errGone   = fmt.Errorf("receive messages: %w", sqs.ErrNoQueue)
	errTable  = &smithy.GenericAPIError{Code: "ExpiredTokenException"}
	errRole   = expired()
	errMoment = errors.New("connection reset")
)

// expired is what the SDK says when nobody renews its credentials.
func expired() error {
	c := aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errMoment
	}))
	_, err := c.Retrieve(context.Background())
	return fmt.Errorf("get identity: get credentials: %w", err)
}

func (p *plight) over() error {
	select {
	case err := <-p.ends:
		return err
	default:
		return nil
	}
}

// A task whose credentials have expired for good, or whose queue is gone, ends and
// says why; one in trouble that may pass never does.
func TestTroubleThatNothingMendsEndsATask(t *testing.T) {
	for _, lasting := range []error{errGone, errTable, errRole} {
		synctest.Test(t, func(t *testing.T) {
			p := newPlight()
			for range 4 {
				p.trouble(lasting)
				time.Sleep(time.Minute)
			}
			require.NoError(t, p.over())
			require.ErrorIs(t, p.alive(), lasting)
			p.trouble(lasting)
			time.Sleep(time.Minute)
			p.trouble(lasting)
			p.trouble(lasting)
			require.ErrorIs(t, p.over(), lasting)
			require.NoError(t, p.over(), "told once")
		})
	}
}

func TestTroubleThatPassesEndsNoTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlight()
		for range 60 {
			p.trouble(errMoment)
			time.Sleep(time.Minute)
		}
		for range 60 { // once in a while
			p.trouble(errGone)
			time.Sleep(3 * time.Minute)
			require.NoError(t, p.alive())
		}
		for range 60 { // for some of what it does
			p.trouble(errGone)
			time.Sleep(time.Minute)
			p.well()
			require.NoError(t, p.alive())
		}
		require.NoError(t, p.over())
	})
}

// TestNoDescriptorsIsNoWrongUse opens nothing that was named wrongly.
func TestNoDescriptorsIsNoWrongUse(t *testing.T) {
	var said strings.Builder
	missing := usagef("--jobs is %q: %w", "jobs.yaml", &os.PathError{Op: "open", Path: "jobs.yaml", Err: syscall.ENOENT})
	assert.Equal(t, exitUsage, exitCode(missing, &said))
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE} {
		err := usagef("--jobs is %q: %w", "jobs.yaml", &os.PathError{Op: "open", Path: "jobs.yaml", Err: errno})
		assert.Equal(t, exitCannot, exitCode(err, &said), errno)
	}
}

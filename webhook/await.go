package webhook

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Await waits until the health path answers 200. It returns at once while nothing is
// known to be wrong. The error wraps ErrUnreachable.
func (c *Client) Await(ctx context.Context) error {
	if c.isUp() {
		return nil
	}
	at := &url.URL{Scheme: c.o.URL.Scheme, Host: c.o.URL.Host, Path: c.o.Health}
	waiting, cancel := context.WithTimeout(ctx, c.o.Patience)
	defer cancel()
	err := c.await(waiting, at)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		return fmt.Errorf("wait for %s: %w within %v: %w", at, ErrUnreachable, c.o.Patience, err)
	}
}

// await has one of those who wait ask, again and again.
func (c *Client) await(ctx context.Context, at *url.URL) error {
	select {
	case c.asking <- struct{}{}:
		defer func() { <-c.asking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	again := time.NewTicker(askAgain)
	defer again.Stop()
	var said error // the last answer: a look that the end of patience cut short says less
	for !c.isUp() {
		err := c.ask(ctx, at)
		if err == nil {
			c.setUp(true)
			return nil
		}
		if said == nil || ctx.Err() == nil {
			said = err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return said
		}
	}
	return nil
}

func (c *Client) isUp() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up
}

func (c *Client) setUp(up bool) {
	c.mu.Lock()
	c.up = up
	c.mu.Unlock()
}

func (c *Client) ask(ctx context.Context, at *url.URL) error {
	ctx, cancel := context.WithTimeout(ctx, c.o.Connect)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", UserAgent)
	resp, err := c.http.Do(req)
	if err != nil {
		return plain(ctx, err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", resp.Status)
	}
	return nil
}

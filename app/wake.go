package app

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/ramify/ramify/metricfn"
)

// wakeTime is how long to try: who has posted does not wait for a task.
const wakeTime = 10 * time.Second

// wake starts a task where the fleet's stack has a service and none is desired: what
// was just posted need not wait for the next look at the fleet. Where that does not
// work the fleet wakes by itself, within 150 s.
func (f *fleet) wake(ctx context.Context, w io.Writer) {
	if f.service == "" || f.cluster == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, wakeTime)
	defer cancel()
	s := metricfn.NewECS(f.cfg, f.cluster, f.service)
	n, err := s.Counts(ctx)
	if err == nil && n.Desired == 0 {
		err = s.SetDesired(ctx, 1)
	}
	if err != nil {
		fmt.Fprintf(w, "ramify: no task was started at once; one will be within three minutes: %s\n", oneLine(err))
	}
}

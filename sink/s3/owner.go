package s3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ErrTaken is returned where the results of another run of the same name lie, of
// another table or machine: its records of units would be taken for this run's.
var ErrTaken = errors.New("another run of this name has its results there")

// owner is the object that says whose the records of a run are: URL/.parts/RUN/run.json.
type owner struct {
	Created time.Time `json:"created"` // when the run began
}

func (s *Sink) ownerKey() string { return s.parts + "run.json" }

// checkOwner returns ErrTaken where the records below the run's name are another's.
func (s *Sink) checkOwner(ctx context.Context) error {
	body, err := s.get(ctx, s.ownerKey())
	if errors.Is(err, errMissing) {
		return nil
	}
	if err != nil {
		return err
	}
	var o owner
	if err := json.Unmarshal(body, &o); err != nil {
		return fmt.Errorf("read %s: %w", s.url(s.ownerKey()), err)
	}
	if o.Created.UnixMilli() != s.options.Created.UnixMilli() {
		return fmt.Errorf("%w: %s is of the one that began at %s", ErrTaken, s.url(s.base), o.Created.UTC().Format(time.DateTime))
	}
	return nil
}

// own says, once, that what follows is this run's.
func (s *Sink) own(ctx context.Context) error {
	s.owning.Lock()
	defer s.owning.Unlock()
	if s.owned {
		return nil
	}
	body, err := json.Marshal(owner{s.options.Created.UTC()})
	if err != nil {
		return err
	}
	won, err := s.put(ctx, s.ownerKey(), body, ifAbsent)
	if err == nil && !won {
		err = s.checkOwner(ctx)
	}
	s.owned = err == nil
	return err
}

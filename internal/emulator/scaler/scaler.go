// Package scaler is Application Auto Scaling as far as it tells of its past, which no
// emulator has: an HTTP server for tests that keeps what was done, and answers page by page
// in the shapes of AWS JSON 1.1.
package scaler

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Activity is one, as the service keeps it. ResourceID is service/CLUSTER/SERVICE.
type Activity struct {
	ResourceID, Description, Cause, StatusCode, StatusMessage string
	Start                                                     time.Time
}

// Scaler is the service. Its methods may be called by many goroutines.
type Scaler struct {
	URL string

	mu     sync.Mutex
	done   []Activity // the newest first
	asked  int
	denied bool
}

// Start starts one for the time of a test.
func Start(t testing.TB) *Scaler {
	t.Helper()
	s := &Scaler{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Did has something done. Activities are answered by their times.
func (s *Scaler) Did(a Activity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = append(s.done, a)
	slices.SortStableFunc(s.done, func(a, b Activity) int { return b.Start.Compare(a.Start) })
}

// Deny has all requests refused from now on.
func (s *Scaler) Deny() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = true
}

// Asked is how many requests were answered.
func (s *Scaler) Asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// ServeHTTP implements http.Handler.
//
// Source: Application Auto Scaling API Reference, "DescribeScalingActivities".
func (s *Scaler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ServiceNamespace, ResourceId, ScalableDimension, NextToken string
		MaxResults                                                 *int
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	refuse := func(kind, text string) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": kind, "Message": text})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	switch err := json.NewDecoder(r.Body).Decode(&in); {
	case r.Method != http.MethodPost || r.Header.Get("X-Amz-Target") != "AnyScaleFrontendService.DescribeScalingActivities":
		refuse("UnknownOperationException", "")
		return
	case s.denied:
		refuse("AccessDeniedException", "User: arn:aws:iam::123456789012:user/me is not authorized to perform: application-autoscaling:DescribeScalingActivities")
		return
	case err != nil, in.ServiceNamespace != "ecs", in.ResourceId != "" && strings.Count(in.ResourceId, "/") != 2, in.MaxResults != nil && (*in.MaxResults < 1 || *in.MaxResults > 50):
		refuse("ValidationException", "1 validation error detected")
		return
	}
	most, from := 50, 0
	if in.MaxResults != nil {
		most = *in.MaxResults
	}
	if in.NextToken != "" {
		var err error
		if from, err = strconv.Atoi(in.NextToken); err != nil {
			refuse("InvalidNextTokenException", "")
			return
		}
	}
	out := map[string]any{}
	some := []map[string]any{}
	for i, a := range s.done {
		if i < from || in.ResourceId != "" && a.ResourceID != in.ResourceId {
			continue
		}
		if len(some) == most {
			out["NextToken"] = strconv.Itoa(i)
			break
		}
		some = append(some, map[string]any{
			"ActivityId": strconv.Itoa(len(s.done) - i), "ServiceNamespace": "ecs", "ResourceId": a.ResourceID, "ScalableDimension": "ecs:service:DesiredCount",
			"Description": a.Description, "Cause": a.Cause, "StatusCode": a.StatusCode, "StatusMessage": a.StatusMessage,
			"StartTime": float64(a.Start.UnixMilli()) / 1000, "EndTime": float64(a.Start.UnixMilli())/1000 + 21,
		})
	}
	out["ScalingActivities"] = some
	_ = json.NewEncoder(w).Encode(out)
}

// Package ecs speaks to Amazon ECS from within a task: it reads which task this
// is, and keeps the task from being stopped by scale-in while it works. Both are
// plain HTTP on a link-local address that ECS puts into the environment; outside
// of ECS there is neither, and nothing here does anything.
//
// Source: Amazon ECS Developer Guide, "Amazon ECS task metadata endpoint version
// 4" and "Amazon ECS task scale-in protection endpoint".
package ecs

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// The variables that ECS sets in each container of a task.
const (
	MetadataVar = "ECS_CONTAINER_METADATA_URI_V4"
	AgentVar    = "ECS_AGENT_URI"
)

// Metadata is what ECS says of a task. Outside of ECS all of it is empty.
type Metadata struct {
	TaskARN          string
	Cluster          string // short name or ARN
	ServiceName      string // "" where no service started the task
	Family           string // of the task definition
	Revision         string // of the task definition
	AvailabilityZone string // as us-east-1a
	LaunchType       string // EC2, FARGATE or EXTERNAL
}

// TaskID is the last part of the task's ARN, by which people and the console of
// ECS name a task.
func (m Metadata) TaskID() string { return m.TaskARN[strings.LastIndexByte(m.TaskARN, '/')+1:] }

const (
	metadataTimeout = time.Second
	maxAnswer       = 1 << 20
)

// ReadMetadata asks for the task's metadata at the URI of MetadataVar, for one
// second at most. Without a URI there is none, and no error; an error is for the
// log, since a task works without.
func ReadMetadata(ctx context.Context, uri string) (Metadata, error) {
	if uri == "" {
		return Metadata{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
	defer cancel()
	client, closeIdle := newClient()
	defer closeIdle()
	var m Metadata
	status, body, err := ask(ctx, client, http.MethodGet, strings.TrimSuffix(uri, "/")+"/task", nil)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s answered %d %s", MetadataVar, status, http.StatusText(status))
	}
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	if err != nil {
		return Metadata{}, fmt.Errorf("read ECS task metadata: %w", err)
	}
	return m, nil
}

// newClient goes to the agent without a proxy, whatever the environment says: the
// address is link-local.
func newClient() (client *http.Client, closeIdle func()) {
	transport := &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute}
	return &http.Client{Transport: transport}, transport.CloseIdleConnections
}

// ask makes one request and reads its answer.
func ask(ctx context.Context, client *http.Client, method, uri string, body io.Reader) (status int, answer []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, method, uri, body)
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	out, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer out.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(out.Body, maxAnswer))
	return out.StatusCode, answer, err
}

package emf

import "time"

// Work is what one unit of work came to. Its fields are those of
// task.Observation, which converts to it.
type Work struct {
	Run, Kind string

	Nodes    int64 // processed
	Children int64 // revealed
	Failures int64 // given up
	Retries  int64
	Rejected int64 // messages that were not executed

	Busy     time.Duration    // of a slot
	Waited   time.Duration    // from when the message was sent to its start
	Requests map[string]int64 // by the name of the operation
}

const (
	dimFleet    = "Fleet"
	dimRun      = "Run"
	figureNodes = "Nodes"
)

// Work adds a unit of work to the figures of its run and kind: Nodes, Children,
// Failures, Retries, Rejected and Requests as counts, Busy in seconds, and Latency,
// which is how long messages wait for a task, as samples in seconds. Requests by
// operation stand in the line as Requests.NAME and are no metrics. With Options.Fleet,
// Nodes is a metric by fleet and run, too: its Sum is what the fleet has processed of
// the run.
func (m *Metrics) Work(w Work) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.set(dimensions{{dimRun, w.Run}, {"Kind", w.Kind}})
	for _, f := range [...]struct {
		name string
		unit unit
		v    float64
	}{
		{figureNodes, count, float64(w.Nodes)},
		{"Children", count, float64(w.Children)},
		{"Failures", count, float64(w.Failures)},
		{"Retries", count, float64(w.Retries)},
		{"Rejected", count, float64(w.Rejected)},
		{"Busy", seconds, w.Busy.Seconds()},
	} {
		s.figure(f.name, f.unit).sum += f.v
	}
	all := s.figure("Requests", count)
	for name, n := range w.Requests {
		all.sum += float64(n)
		s.figure("Requests."+name, plain).sum += float64(n)
	}
	s.figure("Latency", seconds).offer(max(w.Waited, 0).Seconds())
}

package emf

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

const (
	maxMetrics = 100 // of a directive

	// maxLine is in bytes. CloudWatch takes 1 MiB an event, but Docker's awslogs
	// driver, which is what reads standard output on ECS, cuts lines at this.
	maxLine = 256<<10 - 26
)

// document is a line: members of its root are what the directive points at.
type document map[string]any

type metadata struct {
	Timestamp         int64 // milliseconds since 1970
	CloudWatchMetrics []directive
}

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

type definition struct {
	Name string
	Unit unit `json:",omitempty"`
}

// Write writes what was gathered since the last time, and forgets it. What cannot
// be written is lost: figures are not worth holding up a task for.
func (m *Metrics) Write() {
	m.writing.Lock()
	defer m.writing.Unlock()
	m.mu.Lock()
	sets := m.sets
	m.sets = make(map[string]*set, len(sets))
	m.mu.Unlock()
	now := time.Now()
	for _, k := range slices.Sorted(maps.Keys(sets)) {
		s := sets[k]
		for names := range slices.Chunk(slices.Sorted(maps.Keys(s.figures)), maxMetrics) {
			m.line(now, s, names)
		}
	}
}

// line writes a line, in a single call, or two of half as many figures if it
// would be too long.
func (m *Metrics) line(now time.Time, s *set, names []string) {
	text, err := json.Marshal(m.document(now, s, names))
	if err == nil && len(text) >= maxLine {
		if half := len(names) / 2; half > 0 {
			m.line(now, s, names[:half])
			m.line(now, s, names[half:])
			return
		}
		m.o.Log.Error("figures do not fit into a line", "name", names[0], "bytes", len(text))
		return
	}
	if err == nil {
		_, err = m.w.Write(append(text, '\n'))
	}
	if err != nil && !m.failing {
		m.o.Log.Error("figures cannot be written", "error", err)
	}
	m.failing = err != nil
}

func (m *Metrics) document(now time.Time, s *set, names []string) document {
	d := document{}
	for name, v := range m.o.Fixed {
		d[name] = v
	}
	of := directive{Namespace: m.o.Namespace, Dimensions: [][]string{{}}, Metrics: []definition{}}
	for _, name := range names {
		f := s.figures[name]
		if d[name] = f.sum; f.values != nil {
			d[name] = f.values
		}
		if f.unit != plain {
			of.Metrics = append(of.Metrics, definition{name, f.unit})
		}
	}
	for _, dim := range s.dims {
		d[dim.name] = dim.value
		of.Dimensions[0] = append(of.Dimensions[0], dim.name)
	}
	about := metadata{Timestamp: now.UnixMilli(), CloudWatchMetrics: []directive{}}
	if len(of.Metrics) > 0 {
		about.CloudWatchMetrics = append(about.CloudWatchMetrics, of)
	}
	if m.o.Fleet != "" && slices.Contains(names, figureNodes) && slices.Contains(of.Dimensions[0], dimRun) {
		// Of Nodes alone: each metric costs, and metricfn has the fleet's other figures.
		d[dimFleet] = m.o.Fleet
		about.CloudWatchMetrics = append(about.CloudWatchMetrics, directive{
			Namespace: m.o.Namespace, Dimensions: [][]string{{dimFleet, dimRun}}, Metrics: []definition{{figureNodes, count}},
		})
	}
	d["_aws"] = about
	return d
}

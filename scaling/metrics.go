package scaling

// metrics are what is known after a look.
func (g *Governor) metrics(s Sample, d Decision) Metrics {
	var m Metrics
	add := func(name string, value float64, unit string) { m = append(m, Metric{name, value, unit}) }
	if q := s.Queue; q != nil {
		add(MetricUnread, float64(q.Unread), "Count")
		add(MetricInFlight, float64(q.InFlight), "Count")
		add(MetricDelayed, float64(q.Delayed), "Count")
		add(MetricOutstanding, float64(q.Outstanding()), "Count")
	}
	if s.Oldest != nil {
		add(MetricOldestAge, s.Oldest.Seconds(), "Seconds")
	}
	if t := s.Service; t != nil {
		add(MetricRunning, float64(t.Running), "Count")
		add(MetricPending, float64(t.Pending), "Count")
		add(MetricDesired, float64(t.Desired), "Count")
	}
	if s.Ledger != nil {
		if settled, _, over := g.grown(recent); over > 0 {
			add(MetricSettledPerSecond, float64(settled)/over.Seconds(), "Count/Second")
		}
		add(MetricSecondsPerMessage, g.perMessage(), "Seconds")
	}
	if s.Queue == nil || s.Service == nil {
		return m
	}
	running := float64(max(s.Service.Running, 1))
	unread, out := s.Queue.Unread, s.Queue.Outstanding()
	if s.waits() {
		unread, out = 0, 0 // nobody would wake for it, nor scale out
	}
	add(MetricBacklogPerTask, float64(unread)/running, "Count")
	add(MetricBacklogSeconds, float64(out)*g.perMessage()/float64(g.knobs.Concurrency)/running, "Seconds")
	asleep := 0.0
	if out > 0 && s.Service.Desired == 0 {
		asleep = 1
	}
	add(MetricAsleep, asleep, "Count")
	add(MetricWanted, float64(d.Wanted), "Count")
	return m
}

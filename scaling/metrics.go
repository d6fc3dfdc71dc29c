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
	t := s.Service
	unread, out := g.counts(s) // nobody wakes, or scales out, for the rest
	add(MetricBacklogPerTask, float64(unread)/float64(max(t.Running, 1)), "Count")
	if out == 0 || !g.unmeasured(s) {
		work := float64(out) * g.perMessage() / float64(g.knobs.Concurrency)
		add(MetricBacklogSeconds, work/float64(max(t.Running, 1)), "Seconds")
		add(MetricBacklogSecondsSoon, work/float64(max(t.Running+t.Pending, 1)), "Seconds")
		add(MetricWanted, float64(d.Wanted), "Count")
	}
	todo := out > 0 || s.Ledger != nil && s.Ledger.Unsettled
	known := todo || s.Ledger != nil || s.Bare // else a run may go on whose messages the queue has lost
	if known || t.Desired > 0 {
		add(MetricAsleep, one(todo && t.Desired == 0), "Count")
	}
	if known || t.Desired <= g.knobs.Min {
		add(MetricIdle, one(!todo && t.Desired > g.knobs.Min), "Count")
	}
	surplus := 0.0
	if t.Desired > d.Width {
		surplus = 100 * (1 - float64(d.Width)/float64(t.Desired))
	}
	add(MetricSurplus, surplus, "Percent")
	return m
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// Applied sets to 0 what an alarm would act on once more: the decision was carried
// out, and whoever was asleep is awake.
func (m Metrics) Applied(d Decision) {
	for i := range m {
		if m[i].Name == MetricAsleep && d.Desired > 0 || m[i].Name == MetricIdle {
			m[i].Value = 0
		}
	}
}

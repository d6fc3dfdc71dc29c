package plan

import (
	"math"
	"time"
)

// Size is what a task is made of.
type Size struct {
	VCPU, GB float64
	Disk     float64 // GB; 20 are free, and 0 is as many
	ARM      bool
	Spot     float64 // part of the tasks on Fargate Spot, after the first of them, which is not unless all are
	PublicIP bool
}

// The sizes that Fargate has, by vCPU: from, to and between, in GB (Amazon ECS
// Developer Guide, "Fargate task definition considerations for CPU and memory").
var sizes = map[float64][3]float64{
	0.25: {0.5, 2, 0.5}, 0.5: {1, 4, 1}, 1: {2, 8, 1}, 2: {4, 16, 1}, 4: {8, 30, 1}, 8: {16, 60, 4}, 16: {32, 120, 8},
}

// Check says which field has a value that Fargate does not have.
func (s Size) Check() error {
	of, known := sizes[s.VCPU]
	steps := (s.GB - of[0]) / max(of[2], 0.5)
	switch {
	case !known:
		return bad("cpu", s.VCPU, "0.25, 0.5, 1, 2, 4, 8 or 16 vCPU")
	case s.VCPU == 0.25 && s.GB == 1.5:
		return bad("memory", s.GB, "0.5, 1 or 2 GB with 0.25 vCPU")
	case s.GB < of[0] || s.GB > of[1] || steps != math.Trunc(steps):
		return badf("memory", s.GB, "%v to %v GB in steps of %v with %v vCPU", of[0], of[1], of[2], s.VCPU)
	case !(s.Spot >= 0 && s.Spot <= 1):
		return bad("spot", s.Spot, "a part of the tasks, 0 to 1")
	case s.Disk != 0 && !(s.Disk >= freeDisk && s.Disk <= mostDisk):
		return badf("disk", s.Disk, "%v to %v GB", freeDisk, mostDisk)
	}
	return nil
}

// GB of a task's disk (Amazon ECS Developer Guide, "Fargate task ephemeral storage").
const freeDisk, mostDisk = 20.0, 200.0

// compute is what CPU and memory of a task cost an hour, on demand.
func (p *Prices) compute(s Size) float64 {
	if s.ARM {
		return s.VCPU*p.VCPUARM + s.GB*p.GBARM
	}
	return s.VCPU*p.VCPU + s.GB*p.GB
}

// beside is what a task costs an hour besides, on Spot as well.
func (p *Prices) beside(s Size) (disk, ipv4 float64) {
	if s.PublicIP {
		ipv4 = p.IPv4
	}
	return max(s.Disk-freeDisk, 0) * p.Disk, ipv4
}

// TaskHour is what a task costs an hour where there are many, Spot at its usual
// discount.
func (p *Prices) TaskHour(s Size) float64 {
	disk, ipv4 := p.beside(s)
	return p.compute(s)*(1-s.Spot*p.Spot[1]) + disk + ipv4
}

// FirstHour is what an hour of the first task costs more than TaskHour: it is on
// demand, unless all are on Spot.
func (p *Prices) FirstHour(s Size) float64 {
	if s.Spot == 1 {
		return 0
	}
	return p.compute(s) * s.Spot * p.Spot[1]
}

// Cost is dollars by service.
type Cost struct {
	Fargate, IPv4, SQS, DynamoDB, S3, Lambda, CloudWatch float64
}

// Total is all of them.
func (c Cost) Total() float64 {
	return c.Fargate + c.IPv4 + c.SQS + c.DynamoDB + c.S3 + c.Lambda + c.CloudWatch
}

// What a message costs beside its node.
const (
	// A send, a receive and a delete, ten messages each, and what does not fill up.
	requestsPerMessage = 0.31
	// Write units as they were measured (docs/cost.md, "What a node takes"): of a message
	// for one node, in a tree of fan-out ten, and of one that does a thousand inline.
	writesOfOne, writesOfMany = 1.104, 2.9
	// A receive of twenty seconds by each of two receivers of a task that waits.
	pollsPerSecond = 0.1
	// A task's figures, every five seconds, and its leases.
	writesPerTaskSecond = 0.25
	readsPerLook        = 4.0
	settlement          = 1.0  // write units
	metricsOfFleet      = 19.0 // docs/metrics.md
	metricsOfRun        = 3.0
	metricsOfTasks      = 9.0 // of a run and kind of node, out of the tasks' logs, and Nodes of the run
	lambdaGB            = 0.128
	lookSeconds         = 10.0 // of a function that looks again and again: it waits most of it
	logsPerTaskSecond   = 20e-9
	alarms, fastAlarms  = 12.0, 1.0 // metrics that the template's alarms look at each minute, and every ten seconds
	alarmsOfTrack       = 2.0       // what target tracking makes by itself: one scales out, one in
)

// Message is what queue and ledger take for a message that does so many nodes, in
// dollars: what the metric Cost and budgets are reckoned by.
func (p *Prices) Message(nodes float64) float64 {
	return requestsPerMessage*p.SQS + measuredWrites(nodes)*p.Write
}

func measuredWrites(nodes float64) float64 {
	if nodes > 1 {
		return writesOfMany
	}
	return writesOfOne
}

// writesPerMessage are the write units of a message: one to settle, and where it
// has children one a kilobyte of plan, by the tree. What a unit that does many nodes
// inline posts does not depend on the tree as simply: that was measured.
func (m *Model) writesPerMessage() float64 {
	if m.perMessage() > 1 {
		return measuredWrites(m.perMessage())
	}
	inner := 0.0
	for l, n := range m.Tree.Levels[:len(m.Tree.Levels)-1] {
		kids := m.Tree.Levels[l+1] / n
		inner += min(n, m.Tree.Levels[l+1]) * max(1, math.Ceil(kids/64))
	}
	return settlement + inner/m.Tree.Nodes()
}

// messages are those of a run.
func (m *Model) messages() float64 { return max(1, m.Tree.Nodes()/m.perMessage()) }

// perMessage is how many nodes a message does in the long run: its budget, and no
// longer than until it is due.
func (m *Model) perMessage() float64 {
	return max(1, min(float64(m.Inline), checkpoint.Seconds()/m.Tree.Time.Seconds()))
}

// checkpoint is when a unit on SQS ends and posts what is left.
const checkpoint = 10 * time.Second

// cost is what an outcome costs; discount is that of Spot.
func (m *Model) cost(o *Outcome, f *Fleet, p *Prices, s Size, discount float64) Cost {
	run := o.Away.Hours()
	billed := math.Ceil(run) // metrics are by the hour
	hours := o.TaskSeconds / 3600
	// One task is on demand, unless all are on Spot.
	reliable := min(o.Some.Hours(), hours)
	if s.Spot == 1 {
		reliable = 0
	}
	disk, ipv4 := p.beside(s)
	messages := m.messages() * o.Done
	watched := alarms
	for _, t := range f.follows() {
		watched++
		if t.In {
			watched += alarmsOfTrack - 1
		}
	}
	return Cost{
		Fargate: p.compute(s)*(reliable+(hours-reliable)*(1-s.Spot*discount)) + disk*hours,
		IPv4:    hours * ipv4,
		SQS:     (messages*requestsPerMessage + o.TaskSeconds*pollsPerSecond) * p.SQS,
		DynamoDB: (messages*m.writesPerMessage()+o.TaskSeconds*writesPerTaskSecond)*p.Write +
			float64(o.Looks)*readsPerLook*p.Read,
		S3:     m.Tree.Nodes() * o.Done * m.Lists * p.List,
		Lambda: o.Away.Minutes()*p.Invoke + float64(o.Looks)*lookSeconds*lambdaGB*p.LambdaGB,
		CloudWatch: (metricsOfFleet+metricsOfRun+metricsOfTasks)*billed/hoursOfMonth*p.Metric + float64(o.Looks)*p.Put +
			(watched*p.Alarm+fastAlarms*p.AlarmFast)*run/hoursOfMonth + o.TaskSeconds*logsPerTaskSecond*p.Logs,
	}
}

// spent is what tasks hold against a budget, as metricfn reckons the metric Cost:
// tasks, requests and messages.
func (m *Model) spent(p *Prices, s Size) func(taskSeconds, some, nodes float64) float64 {
	hour, first := p.TaskHour(s), p.FirstHour(s)
	node := p.Message(m.perMessage())/m.perMessage() + m.Lists*p.List
	return func(taskSeconds, some, nodes float64) float64 {
		return taskSeconds/3600*hour + min(some, taskSeconds)/3600*first + nodes*node
	}
}

package plan

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
)

// Ask is what is to be planned.
type Ask struct {
	Model  func(seed uint64) *Model // may differ by seed, where its figures are not certain
	Fleet  Fleet
	Size   Size
	Prices Prices
	Seeds  int     // runs of the model, at least 1
	Budget float64 // dollars that the run may cost before it is paused; 0: it has none
}

// Interval is a figure over all runs: the median, and from where to where nine of
// ten are.
type Interval struct {
	Low  float64 `json:"low"`
	Mid  float64 `json:"mid"`
	High float64 `json:"high"`
}

// Share is what one service costs, in dollars.
type Share struct {
	Service string   `json:"service"`
	Dollars Interval `json:"dollars"`
}

// Estimate is a plan.
type Estimate struct {
	Runs      int      `json:"runs"`
	Finished  int      `json:"finished"` // of the runs, within 30 days
	Paused    int      `json:"paused"`   // of the runs, for their budget
	Budget    float64  `json:"budget,omitempty"`
	Counted   Interval `json:"counted"` // dollars that a budget is held against: tasks, requests, messages
	Done      Interval `json:"done"`    // part of the nodes: of those paused, when they were
	Nodes     Interval `json:"nodes"`
	Seconds   Interval `json:"seconds"`    // from the seed to the last node, or until it was paused
	FirstTask Interval `json:"first_task"` // seconds
	Peak      Interval `json:"peak_tasks"`
	TaskHours Interval `json:"task_hours"` // billed
	Dollars   Interval `json:"dollars"`
	Cost      []Share  `json:"cost"`
	Throttled Interval `json:"throttled_seconds"`
	Limit     string   `json:"limit,omitempty"` // what holds the fleet back, where something does
	Curve     []Point  `json:"curve"`           // of the run whose duration is the median
}

// Estimate lets the model run as often as asked, on all processors.
func (a Ask) Estimate(ctx context.Context) (*Estimate, error) {
	runs := make([]run, a.Seeds)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), a.Seeds) {
		wg.Go(func() {
			for i := range next {
				runs[i] = a.run(uint64(i))
			}
		})
	}
	for i := range runs {
		select {
		case next <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e := sum(runs)
	e.Budget = a.Budget
	return e, nil
}

// run is one run and what it cost.
type run struct {
	nodes   float64
	limit   string
	counted float64
	Outcome
	Cost
}

func (a Ask) run(seed uint64) run {
	m, f := a.Model(seed), a.Fleet
	r := run{nodes: m.Tree.Nodes()}
	f.Rate, r.limit = m.limits(&f)
	f.Spent, f.Budget = m.spent(&a.Prices, a.Size), a.Budget
	r.Outcome = f.Run(m.held(seed), seed)
	r.counted = f.Spent(r.TaskSeconds, r.Some.Seconds(), r.nodes*r.Done)
	spot := a.Prices.Spot
	rng := rand.New(rand.NewPCG(seed, 0x73706f74))
	r.Cost = m.cost(&r.Outcome, &f, &a.Prices, a.Size, spot[0]+(spot[2]-spot[0])*rng.Float64())
	return r
}

func sum(runs []run) *Estimate {
	over := func(of func(r *run) float64) Interval {
		all := make([]float64, len(runs))
		for i := range runs {
			all[i] = of(&runs[i])
		}
		return interval(all)
	}
	e := &Estimate{
		Runs:      len(runs),
		Nodes:     over(func(r *run) float64 { return r.nodes }),
		Seconds:   over(func(r *run) float64 { return r.Duration.Seconds() }),
		FirstTask: over(func(r *run) float64 { return r.First.Seconds() }),
		Peak:      over(func(r *run) float64 { return float64(r.Peak) }),
		TaskHours: over(func(r *run) float64 { return r.TaskSeconds / 3600 }),
		Dollars:   over(func(r *run) float64 { return r.Total() }),
		Counted:   over(func(r *run) float64 { return r.counted }),
		Throttled: over(func(r *run) float64 { return r.Throttled.Seconds() }),
		Cost: []Share{
			{"Fargate", over(func(r *run) float64 { return r.Fargate })},
			{"public IPv4", over(func(r *run) float64 { return r.IPv4 })},
			{"SQS", over(func(r *run) float64 { return r.SQS })},
			{"DynamoDB", over(func(r *run) float64 { return r.DynamoDB })},
			{"S3", over(func(r *run) float64 { return r.S3 })},
			{"Lambda", over(func(r *run) float64 { return r.Lambda })},
			{"CloudWatch", over(func(r *run) float64 { return r.CloudWatch })},
		},
	}
	order := slices.Clone(runs)
	slices.SortStableFunc(order, func(a, b run) int { return cmp.Compare(a.Duration, b.Duration) })
	median := order[len(order)/2]
	e.Curve = median.Curve
	if median.Throttled > 0 {
		e.Limit = median.limit
	}
	var done []float64
	for _, r := range runs {
		if r.Finished {
			e.Finished++
		}
		if r.Paused {
			done = append(done, r.Done)
		}
	}
	e.Done = Interval{1, 1, 1}
	if e.Paused = len(done); e.Paused > 0 {
		e.Done = interval(done)
	}
	return e
}

// interval is the median and the fifth and ninety-fifth percentile.
func interval(all []float64) Interval {
	slices.Sort(all)
	at := func(q float64) float64 {
		x := q * float64(len(all)-1)
		i := int(x)
		if i+1 >= len(all) {
			return all[len(all)-1]
		}
		return all[i] + (all[i+1]-all[i])*(x-math.Floor(x))
	}
	return Interval{Low: at(0.05), Mid: at(0.5), High: at(0.95)}
}

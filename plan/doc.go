// Package plan says what a run will take before it starts: a discrete-event model
// of a whole fleet, second by second — the queue and how late it is counted, the
// ledger, the governor of package scaling or target tracking with its alarms, the
// launch of tasks, their slots, and the limits of the services.
//
// Nodes are not simulated one by one but by levels of the tree, in fractions: a
// walk of 10¹⁰ nodes costs what one of 10⁴ does. What is random is drawn from a
// seed: a plan is made several times over and gives intervals.
//
// It is the successor, in Go, of the simulator of the study that chose the
// scaling policy, and agrees with its figures (docs/scale.md has them). Nothing
// here was measured on AWS.
package plan

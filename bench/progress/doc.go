// Package progress measures what people are told of a run while it goes on: the fraction
// done and its ETA, against what came true. It has only tests. docs/benchmarks.md says what
// they found.
package progress

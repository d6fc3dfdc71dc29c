package schema

import "math"

// Account is what has been done: the sums that climb the tree. Values may be
// negative in the account of a redrive, which holds only differences.
type Account struct {
	Nodes    int64 `json:"n,omitempty"` // nodes processed with success
	Objects  int64 `json:"o,omitempty"` // things the processors counted: keys, rows, files
	Bytes    int64 `json:"b,omitempty"` // their size
	Failures int64 `json:"f,omitempty"` // nodes given up
	Reduces  int64 `json:"r,omitempty"` // reduces run
}

// Add is the sum of two accounts, each value as Sum makes it.
func (a Account) Add(b Account) Account {
	return Account{
		Nodes:    Sum(a.Nodes, b.Nodes),
		Objects:  Sum(a.Objects, b.Objects),
		Bytes:    Sum(a.Bytes, b.Bytes),
		Failures: Sum(a.Failures, b.Failures),
		Reduces:  Sum(a.Reduces, b.Reduces),
	}
}

// Sum is a + b, or where that is beyond an int64 the nearest one: processors
// count what others tell them, and a total that turns negative says nothing,
// while the largest says "so much or more".
func Sum(a, b int64) int64 {
	switch s := a + b; {
	case a > 0 && b > 0 && s < 0:
		return math.MaxInt64
	case a < 0 && b < 0 && s >= 0:
		return math.MinInt64
	default:
		return s
	}
}

// Minus is the difference of two accounts.
func (a Account) Minus(b Account) Account {
	return a.Add(Account{-b.Nodes, -b.Objects, -b.Bytes, -b.Failures, -b.Reduces})
}

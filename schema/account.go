package schema

// Account is what has been done: the sums that climb the tree. Values may be
// negative in the account of a redrive, which holds only differences.
type Account struct {
	Nodes    int64 `json:"n,omitempty"` // nodes processed with success
	Objects  int64 `json:"o,omitempty"` // things the processors counted: keys, rows, files
	Bytes    int64 `json:"b,omitempty"` // their size
	Failures int64 `json:"f,omitempty"` // nodes given up
	Reduces  int64 `json:"r,omitempty"` // reduces run
}

// Add is the sum of two accounts.
func (a Account) Add(b Account) Account {
	return Account{
		Nodes:    a.Nodes + b.Nodes,
		Objects:  a.Objects + b.Objects,
		Bytes:    a.Bytes + b.Bytes,
		Failures: a.Failures + b.Failures,
		Reduces:  a.Reduces + b.Reduces,
	}
}

// Minus is the difference of two accounts.
func (a Account) Minus(b Account) Account {
	return a.Add(Account{-b.Nodes, -b.Objects, -b.Bytes, -b.Failures, -b.Reduces})
}

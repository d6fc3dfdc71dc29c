// Package console is what people watch while a run goes on, and what they read
// when it has ended: in a terminal, and as JSON where there is none.
//
// Figures take one way through it: a Source reads a Snapshot from the ledger, a
// Meter makes a Reading of it (rates, an ETA with its uncertainty), and a
// Follower shows it: Line as one line redrawn in place, Watch as a table, Log as
// a few log lines. A Summary is the last word.
//
// Whatever comes from outside, such as keys, names and errors, is cleaned before
// it is written: it can neither begin a line of its own nor command a terminal.
package console

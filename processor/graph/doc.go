// Package graph is the processor of the vertices of a graph: from one vertex it finds
// all that can be reached, each once, with the shortest way there. A node is a vertex,
// its children are those of its neighbours that it has claimed in the ledger
// (ledger.Visits), so a vertex that is reached in many ways is visited once, cycles
// end, and the run ends exactly.
//
// The edges are in a list of text, which each process sorts once, on disk, into an
// index that it can look things up in: memory does not grow with the graph.
package graph

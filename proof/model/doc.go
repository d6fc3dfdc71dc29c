// Package model is the protocol of docs/state-machine.md as a program that is searched
// to its end: every order of every step that workers, queue, ledger and people can take
// on a small tree, with every fault that its budget has, breadth first. What is wrong
// comes with the fewest steps to it.
//
//	make model                                 all worlds, minutes
//	go run ./proof/model/check --only=sequel   some
//	go run ./proof/model/check --bugs          the planted bugs, with the steps to each
//
// # How to read it
//
// A state (state.go) is the records of the run, what the sink has, the queue, the
// workers and who owns the run. A step is one call of the ledger, the sink or the queue;
// between any two a worker may die, or lose its lease and go on:
//
//	unit.go      what a unit asks, plans, claims and follows   task/unit.go, task/process.go
//	attempt.go   what comes of a processor; giving up          task/process.go, task/sequel.go
//	climb.go     settlements, and the way up                   task/settle.go
//	send.go      what is sent and deleted, in part or twice    post, task/work.go, task/delete.go
//	ledger.go    the conditional writes                        ledger, ledger/hostile/rules.go
//	queue.go     receives, and what a queue does by itself     queue
//	people.go    seed, redrive, pause, cancel; the sweep       seed, sweep
//
// A world (worlds.go) is a tree, what attempts at each node may come to, and a budget of
// faults. A bug (bug.go) is a switch: each must show in the world that is named beside
// it, or the model could not fail and would prove nothing.
//
// # What is checked
//
// In every state (check.go): failures are settlements; no slot has settled as a leaf
// while the plan of its node is about (the fence, I3). In every state in which a run is
// reported over: a walk of the committed tree, as ledger.Units makes it, finds every slot
// settled (I3); the run's totals are the sum of its units, each node once, and none but
// what was given up is missing (I1, I2, I5); the sink has the rows of exactly these
// units, and their accounts; reduces have run where nothing below failed, each once (I4);
// each failure has a letter; no children of any posted plan are about (I3). Where a
// reduce is about to run, all below it has settled, and its sum says so (I4). No message
// without a valid signature is executed (I6). Of one sweep, one message at most posts the
// children of a node that another message owns. Of I7 the number of messages is printed:
// memory is not the protocol's.
//
// And from every state that can be reached, the run can still end by steps that are no
// faults (I1): crashes may stop, leases run out, and sweeps come where something was
// lost. Nobody has to be lucky.
//
// # What is one step here and more in the code
//
// A processor runs, and a message that is done with is deleted, together with the step
// before: nobody sees the one, and of the other the ways in which it can go wrong are
// steps of their own. Reads of two records are two steps where both may change. Plans do
// not change, so what is copied from them into headers, caches and tallies is looked up
// instead. The groups of a plan appear with it: nobody refers to those of an attempt that
// lost.
//
// # What is left out
//
// Time: a lease may end at any moment, and a delay is an order of steps. Several runs.
// Shares and figures. How children are packed into pages. Visits of graphs, whose
// argument is in docs/state-machine.md. A tomb beside a plain reduce, which decides
// nothing. Errors of ledger, sink or queue end a unit as a crash does. That arbitration
// of redrive steps and reduces bounds how many duplicates there are, which costs messages
// and no correctness; that of each sweep one message goes on through a node is held to by
// the check. A sweep visits one node at a time, where the code reads fifty at once.
//
// The ledger's part of the model is held to the code by a test: random walks through the
// worlds are made on ledger/hostile and ledger/embedded, too, write by write.
package model

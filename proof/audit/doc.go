// Package audit is the protocol's promises as a program that has no concurrency and
// shares no code with the engine: it reads the history of a run and says what of it
// must not have been. It has a model of the run's records, changed by the rules of
// docs/state-machine.md one at a time, and three kinds of rules: what a record may
// become, what an attempt may be asked to do, and what a run that is over has come to.
//
//	invariant                              audited by
//	I1 no node is lost: all that was       revealed (each node that one which counts has revealed
//	   revealed settles                    counts, or was given up, or has what became of it),
//	                                       settlement and second (never through a plan that is not
//	                                       there), mourned (what was given up has a letter); a run that
//	                                       comes to no end: package sim, which waits for it
//	I2 each is counted once                slot (tallies are the model's, to the last sum), settlement,
//	                                       own, second (an account is that of results, or of a plan
//	                                       and all below it), rows (two attempts never count of one
//	                                       node), ending (totals), graphs (vertices), listed (the
//	                                       ledger names the same units and failures)
//	I3 the run is over when, and only      settlement (all children have settled first; no leaf
//	   when, all has settled               beside a claimed plan, nor beside one of which children
//	                                       are posted), sends, whole, ending (its state)
//	I4 a reduce runs after all below its   reduces (when it begins), second (what it reveals comes
//	   node, and counts once               last), reduced (who reduced, with which sum, once)
//	I5 whoever is late changes nothing     amend, plan, slot, event (each record is the model's after
//	                                       each write; a tomb before a node settles as given up);
//	                                       package sim: what is left of a run that is over drains
//	I6 nothing unverified is executed      event (package sim forges), refused (it has a letter, which
//	                                       says why; nothing else that is there lacks one)
//	I7 what a worker holds is bounded      works (nodes worked on), holds (messages not worked on yet,
//	                                       requests under way: bounds that follow from the engine's
//	                                       constants), plan (children and bytes of one record);
//	                                       goroutines: those of a worker that has stopped have ended,
//	                                       or testing/synctest panics
//
// Of its own is givenUp: no node is given up, or falls back, before it has had all its
// attempts; and idle: a paused or cancelled run comes to rest.
package audit

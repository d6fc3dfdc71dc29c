// Package command processes a node by running a program: a job of jobs.yaml.
//
// The program gets its arguments from the job, the node as one JSON object on
// standard input, and says what came of it as JSON lines on the file descriptor
// that RAMIFY_FD names:
//
//	{"child": {"params": {"path": "/usr/lib"}}}     a child, of the same job
//	{"child": {"job": "thumbnail", "params": {…}}}  of another job
//	{"child": {"kind": "s3.crawl", "id": …, "args": {…}}}
//	{"row": {"path": "/usr/lib/x", "size": 12}}     a row of the results
//	{"count": {"objects": 1, "bytes": 12}}          adds to the node's totals
//
// Its exit code says whether the node is done, to be tried again, or to be given
// up. docs/processors/command.md describes all of it for people.
package command

// Package integration holds the end-to-end tests: they build the command that
// people run, run it as a process against S3 servers of this process, kill it,
// and compare what it says and writes with the truth. There is nothing to import.
package integration

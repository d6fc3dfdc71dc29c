// Package sqsd hands the messages of an SQS queue to an application by HTTP, whatever
// they are, as the daemon of an Elastic Beanstalk worker environment does: for
// applications that were written for that daemon. There are no nodes, no runs and no
// ledger here; retries and the dead-letter queue are the queue's own.
package sqsd

// Package webhook is the processor of a node whose work an application does: the node
// is posted to it, as the daemon of an Elastic Beanstalk worker environment posts a
// message, 200 is done, and the answer may name children and rows. The room webhook
// has the protocol, and the side that receives.
package webhook

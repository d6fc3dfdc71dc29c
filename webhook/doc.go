// Package webhook hands work to an application by HTTP, as the daemon of an Elastic
// Beanstalk worker environment does: one POST a piece of work, 200 for done. It has
// both ends: Client posts, Handler is what an application in Go mounts.
//
// What the daemon's requests look like is known from the Elastic Beanstalk Developer
// Guide, "Elastic Beanstalk worker environments". What Ramify adds is optional to the
// application: a signature, and an answer that names children and rows.
package webhook

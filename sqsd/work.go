package sqsd

import (
	"maps"

	"github.com/ramify/ramify/queue/sqs"
	"github.com/ramify/ramify/webhook"
)

// The attributes by which the daemon of one machine tells that of another which
// periodic task is due. They become headers of their own. They are documented nowhere;
// they are what the daemon of Elastic Beanstalk sends.
const (
	attrTask = "beanstalk.sqsd.task_name"
	attrPath = "beanstalk.sqsd.path"
	attrAt   = "beanstalk.sqsd.scheduled_time"
)

// work is a message as the application gets it.
func work(name string, m *sqs.Whole) *webhook.Work {
	w := &webhook.Work{
		ID: m.ID, Queue: name, Received: m.FirstReceived, Receives: m.Receives, Sender: m.Sender, Attrs: m.Attrs, Body: m.Body,
	}
	if task := m.Attrs[attrTask]; task != "" {
		w.Task, w.At, w.Path = task, m.Attrs[attrAt], m.Attrs[attrPath]
		w.Attrs = maps.Clone(m.Attrs)
		for _, attr := range []string{attrTask, attrPath, attrAt} {
			delete(w.Attrs, attr)
		}
	}
	return w
}

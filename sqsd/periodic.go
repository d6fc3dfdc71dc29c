package sqsd

import (
	"time"

	"github.com/ramify/ramify/queue"
)

// Periodic is the message by which the daemon of one machine tells that of another
// that a periodic task is due: whoever receives it posts it to the path.
func Periodic(task, path string, at time.Time) queue.Entry {
	return queue.Entry{
		Body:  []byte("elasticbeanstalk scheduled job"),
		Attrs: map[string]string{attrTask: task, attrPath: path, attrAt: at.UTC().Format("2006-01-02 15:04:05 UTC")},
	}
}

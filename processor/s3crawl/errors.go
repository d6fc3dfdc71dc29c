package s3crawl

import (
	"fmt"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/s3client"
)

// explain makes one line of an error of a LIST. It is permanent if no retry will
// mend it.
func explain(q Query, err error) error {
	what := fmt.Sprintf("list s3://%s/%s", q.Bucket, s3client.Shorten(s3client.Readable(q.Prefix), 200))
	action := "s3:ListBucket"
	if q.Versions {
		action = "s3:ListBucketVersions"
	}
	permanent, line := s3client.Explain(what, action+" on arn:aws:s3:::"+q.Bucket, err)
	if permanent {
		return processor.Permanent(line)
	}
	return line
}

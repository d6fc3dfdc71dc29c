package app

import (
	"net/url"
	"path/filepath"
	"strings"
)

// outKind is what an --out names.
type outKind int

const (
	outNone   outKind = iota
	outStream         // -
	outFolder         // of this machine
	outBucket         // s3://bucket/prefix
	outQueue          // URL of an SQS queue
)

// kindOfOut tells what an --out names, which is one of ours or empty.
func kindOfOut(out string) outKind {
	switch {
	case out == "":
		return outNone
	case out == "-":
		return outStream
	case strings.HasPrefix(out, "s3://"):
		return outBucket
	case strings.HasPrefix(out, "https://"), strings.HasPrefix(out, "http://"):
		return outQueue
	default:
		return outFolder
	}
}

// parseOut checks an --out, which name is the name of, and makes it as it is kept
// with a run. It asks nobody whether the place is there.
func parseOut(name, out string) (string, error) {
	const want = "want s3://bucket/prefix, the URL of an SQS queue, a folder, or - for standard output"
	switch kindOfOut(out) {
	case outBucket:
		if bucket, _, _ := strings.Cut(strings.TrimPrefix(out, "s3://"), "/"); bucket == "" {
			return "", usagef("%s is %q, which names no bucket; want s3://bucket/prefix", name, out)
		}
		return strings.TrimRight(out, "/"), nil
	case outQueue:
		u, err := url.Parse(out)
		if err != nil || u.Host == "" || strings.Trim(u.Path, "/") == "" {
			return "", usagef("%s is %q, which is not the URL of a queue; want https://sqs.REGION.amazonaws.com/ACCOUNT/NAME", name, out)
		}
		return out, nil
	case outFolder:
		// A folder of that name would be made here, and nothing there.
		if strings.Contains(out, "://") {
			return "", usagef("%s is %q, %s", name, out, want)
		}
		full, err := filepath.Abs(out)
		if err != nil {
			return "", usagef("%s is %q: %w", name, out, err)
		}
		return full, nil
	}
	return out, nil
}

// checkShared refuses a place that only this machine has.
func checkShared(name, out string) error {
	switch kindOfOut(out) {
	case outStream, outFolder:
		return usagef("%s is %q, but the tasks of a fleet write from other machines: want s3://bucket/prefix or the URL of an SQS queue; `ramify run` writes here", name, out)
	}
	return nil
}

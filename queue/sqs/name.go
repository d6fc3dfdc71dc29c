package sqs

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// place is where a queue is, as far as its name or URL says so.
type place struct {
	name   string
	url    string // to be asked for, if empty
	region string
}

var (
	queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)
	awsHost   = regexp.MustCompile(`^sqs(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$`)
)

// locate reads a queue's name or URL. Source: Amazon SQS Developer Guide, "Amazon
// SQS queue and message identifiers".
func locate(nameOrURL string) (place, error) {
	p := place{name: nameOrURL}
	if strings.Contains(nameOrURL, "://") {
		u, err := url.Parse(nameOrURL)
		if err != nil {
			return place{}, fmt.Errorf("read the queue's URL: %w", err)
		}
		p.name, p.url = path.Base(u.Path), nameOrURL
		if m := awsHost.FindStringSubmatch(u.Hostname()); m != nil {
			p.region = m[1]
		}
	}
	if strings.HasSuffix(p.name, ".fifo") {
		return place{}, fmt.Errorf("queue %q is a FIFO queue, which would process one message of a run at a time: use a standard queue", nameOrURL)
	}
	if !queueName.MatchString(p.name) {
		return place{}, fmt.Errorf("queue %q is no name of a queue (1 to 80 letters, digits, - and _) and no URL of one", nameOrURL)
	}
	return p, nil
}

// CheckName refuses what is neither the name of a standard queue nor the URL of
// one, without asking whether it is there.
func CheckName(nameOrURL string) error {
	_, err := locate(nameOrURL)
	return err
}

// redrivePolicy is the attribute of that name.
type redrivePolicy struct {
	Target      string `json:"deadLetterTargetArn"`
	MaxReceives any    `json:"maxReceiveCount"` // some write a number, some a string
}

// deadLetters is the name of the queue that a redrive policy names.
func deadLetters(policy string) string {
	var p redrivePolicy
	if policy == "" || json.Unmarshal([]byte(policy), &p) != nil {
		return ""
	}
	return p.Target[strings.LastIndexByte(p.Target, ':')+1:]
}

package inventory

import "strconv"

// What TaskStatus says.
const (
	Succeeded = "succeeded"
	Failed    = "failed"
)

// Outcome is a row of a report: what came of something that was done to an object.
// The columns are those of the completion reports of S3 Batch Operations.
//
// Source: Amazon S3 User Guide, "Tracking job status and completion reports",
// Examples of completion reports.
type Outcome struct {
	Bucket, Key string
	VersionID   string // "" of an object without versions
	Status      string // Succeeded or Failed
	ErrorCode   string // of S3; "" where there is none
	HTTPStatus  int    // of the last answer; 0 if there was none
	Message     string // for people
}

// AppendOutcome appends a row of OutcomeColumns to a block: in CSV every field is
// quoted and Key URL-encoded, as in a listing.
func (l Layout) AppendOutcome(block []byte, o *Outcome) []byte {
	status := ""
	if o.HTTPStatus != 0 {
		status = strconv.Itoa(o.HTTPStatus)
	}
	if l.format == NDJSON {
		for i, c := range []column{bucketColumn, keyColumn, versionColumn, statusColumn, errorColumn, httpColumn, messageColumn} {
			block = append(block, members[c]...)
			if i == 0 {
				block[len(block)-len(members[c])] = '{'
			}
			block = appendJSON(block, [...]string{o.Bucket, o.Key, o.VersionID, o.Status, o.ErrorCode, status, o.Message}[i])
		}
		return append(block, '}', '\n')
	}
	block = appendDoubled(append(block, '"'), o.Bucket)
	block = appendURL(append(block, `","`...), o.Key)
	for _, field := range [...]string{o.VersionID, o.Status, o.ErrorCode, status, o.Message} {
		block = appendDoubled(append(block, `","`...), field)
	}
	return append(block, '"', '\n')
}

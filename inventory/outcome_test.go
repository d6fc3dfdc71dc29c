package inventory

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A report's rows are those of S3 Batch Operations, whatever the texts hold.
func TestOutcomes(t *testing.T) {
	o := Outcome{Bucket: "b", Key: "a b/\"é\"", Status: Failed, ErrorCode: "AccessDenied", HTTPStatus: 403, Message: "no, \"never\""}
	l, err := ParseLayout("csv", OutcomeColumns.String())
	require.NoError(t, err)
	require.Equal(t, "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage", l.Schema())
	row, err := csv.NewReader(strings.NewReader(string(l.AppendOutcome(nil, &o)))).Read()
	require.NoError(t, err)
	require.Equal(t, []string{"b", "a+b/%22%C3%A9%22", "", "failed", "AccessDenied", "403", "no, \"never\""}, row)

	l, err = ParseLayout("ndjson", OutcomeColumns.String())
	require.NoError(t, err)
	var got map[string]string
	require.NoError(t, json.Unmarshal(l.AppendOutcome(nil, &o), &got))
	require.Equal(t, map[string]string{
		"bucket": "b", "key": "a b/\"é\"", "versionid": "", "taskstatus": "failed", "errorcode": "AccessDenied",
		"httpstatuscode": "403", "resultmessage": "no, \"never\"",
	}, got)
	_, err = parseColumns("key,taskstatus")
	require.ErrorContains(t, err, "taskstatus")
}

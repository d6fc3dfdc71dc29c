package plan

import (
	"fmt"
	"math"
)

// What services bear.
const (
	// LISTs a second of one partition of a bucket's keys: S3 splits them as load grows,
	// which is not counted on (Amazon S3 User Guide, "Best practices design patterns:
	// optimizing Amazon S3 performance").
	listsPerSecond = 5_500

	// Write units a second of a new table on demand; it bears twice what it has borne
	// half an hour later, up to the account's quota for a table (Amazon DynamoDB
	// Developer Guide, "DynamoDB on-demand capacity mode" and "Quotas in Amazon
	// DynamoDB").
	writesAtFirst = 4_000
	writesQuota   = 40_000
	writesDouble  = 1_800 // seconds
)

// limits are the nodes a second that the services bear, or nil where a whole fleet
// does not reach them, and the name of the lowest.
func (m *Model) limits(f *Fleet) (rate func(now float64) float64, name string) {
	writes := m.writesPerMessage() / m.perMessage()
	table := func(now float64) float64 {
		return min(writesQuota, writesAtFirst*math.Exp2(math.Floor(now/writesDouble))) / writes
	}
	lists := math.Inf(1)
	if m.Lists > 0 {
		lists = listsPerSecond / m.Lists
	}
	most := float64(f.Knobs.Max*f.Knobs.Concurrency) / m.Tree.Time.Seconds()
	switch {
	case most <= min(table(0), lists):
		return nil, ""
	case lists < table(0):
		name = fmt.Sprintf("S3: %d LISTs a second of a prefix", listsPerSecond)
	default:
		name = fmt.Sprintf("DynamoDB: %d write units a second of a new table, %d of any", writesAtFirst, writesQuota)
	}
	return func(now float64) float64 { return min(table(now), lists) }, name
}

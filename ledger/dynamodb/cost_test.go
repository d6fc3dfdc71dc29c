package dynamodb_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/dynamodb"
	"github.com/ramify/ramify/schema"
)

// meter adds up capacity units by operation.
type meter struct {
	mu    sync.Mutex
	units map[string]float64
	most  map[string]float64 // of one request
	calls map[string]int
}

func newMeter() *meter {
	return &meter{units: map[string]float64{}, most: map[string]float64{}, calls: map[string]int{}}
}

func (m *meter) count(operation string, units float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.units[operation] += units
	m.most[operation] = max(m.most[operation], units)
	m.calls[operation]++
}

// fullPlan is a plan as large as a plan may be.
func fullPlan(run string, k int) ledger.Plan {
	p := ledger.Plan{
		PID: schema.PIDOf(run, schema.Place{Parent: schema.PID{1}, Slot: 3}), Run: run, Type: ledger.Live,
		Own: schema.Account{Nodes: 1, Objects: 1_234_567, Bytes: 1 << 50}, Up: schema.Place{Parent: schema.PID{1}, Slot: 3},
		Reduce: true, Attempt: 1<<63 + 12345, MID: 1<<63 + 6789, Depth: 17, Share: schema.Whole / 3,
	}
	var packed ledger.Packer
	for i := range k {
		// Names that share nothing: 3.5 KB are full before 256 slots are, or just then.
		kid := ledger.Kid{Kind: "s3.crawl", ID: fmt.Sprintf("%03d%s", (i*7919)%1000, strings.Repeat("x", 3584/k-7)), Deeper: 1}
		if !packed.Add(kid) {
			break
		}
		p.Kids = append(p.Kids, kid)
	}
	return p
}

// A leaf costs one write unit, whatever the width of the plan above it: that is
// why plan and tally are two items.
func TestCapacityOfAWideNode(t *testing.T) {
	m := newMeter()
	config, table := local.table(t)
	l := dynamodb.New(config, table, dynamodb.Options{Consumed: m.count})
	defer l.Close()
	ctx, run := t.Context(), "a-run-with-quite-a-long-name-20260102T030405Z"

	p := fullPlan(run, schema.MaxSlots)
	require.Greater(t, len(ledger.PackKids(p.Kids)), 3000, "the plan is about full")
	_, won, err := l.Plan(ctx, p)
	require.NoError(t, err)
	require.True(t, won)
	assert.LessOrEqual(t, m.most["PutItem"], 4.0, "units of a full plan")

	const wide = 1 << 40 // sums that take many digits
	h := &schema.Header{Required: schema.MaxSlots, Own: p.Own, Up: p.Up, Reduce: true}
	for slot := range schema.MaxSlots {
		_, o, err := l.Settle(ctx, ledger.Settlement{
			Run: run, At: schema.Place{Parent: p.PID, Slot: slot}, Header: h, Unfenced: true,
			Account: schema.Account{Nodes: wide + 1, Objects: wide + 7, Bytes: 1<<54 + 3, Reduces: wide + 1},
			Via:     true, // all of them interior: the largest that a run without trouble has
		})
		require.NoError(t, err)
		require.Equal(t, ledger.Won, o)
	}
	assert.InDelta(t, 1, m.most["UpdateItem"], 0, "units of the dearest settlement")
	assert.InDelta(t, schema.MaxSlots, m.units["UpdateItem"], 0, "units of all of them")
	assert.Equal(t, map[string]int{"PutItem": 1, "UpdateItem": schema.MaxSlots}, m.calls, "requests")

	tally, plan := size(t, config, table, "T#"+p.PID.String()+"#0"), size(t, config, table, "P#"+p.PID.String())
	assert.LessOrEqual(t, tally, 1024, "bytes of the full tally")
	assert.LessOrEqual(t, plan, 4096, "bytes of the full plan")
	t.Logf("full plan %d bytes (%d children, %d bytes packed), %v units; full tally %d bytes, %v unit a settlement",
		plan, len(p.Kids), len(ledger.PackKids(p.Kids)), m.units["PutItem"], tally, m.most["UpdateItem"])
}

// size is that of an item as DynamoDB charges it.
//
// Source: Amazon DynamoDB Developer Guide, "DynamoDB item sizes and formats".
func size(t *testing.T, config aws.Config, table, key string) int {
	t.Helper()
	out, err := sdk.NewFromConfig(config).GetItem(t.Context(), &sdk.GetItemInput{
		TableName: &table, Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: key}},
	})
	require.NoError(t, err)
	require.NotEmpty(t, out.Item, key)
	return sizeOf(t, out.Item)
}

func sizeOf(t *testing.T, m map[string]types.AttributeValue) (n int) {
	t.Helper()
	for name, v := range m {
		n += len(name)
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			n += len(v.Value)
		case *types.AttributeValueMemberB:
			n += len(v.Value)
		case *types.AttributeValueMemberN:
			n += (len(v.Value)+1)/2 + 1
		case *types.AttributeValueMemberBOOL:
			n++
		case *types.AttributeValueMemberBS:
			for _, b := range v.Value {
				n += len(b)
			}
		case *types.AttributeValueMemberM:
			n += 3 + len(v.Value) + sizeOf(t, v.Value)
		default:
			t.Fatalf("attribute %s is a %T", name, v)
		}
	}
	return n
}

// A vertex costs half a read unit for each edge that leads to it, and one write unit
// once; a claim that is known to be refused costs no write.
func TestCapacityOfVisits(t *testing.T) {
	m := newMeter()
	config, table := local.table(t)
	l := dynamodb.New(config, table, dynamodb.Options{Consumed: m.count})
	defer l.Close()
	const n = 250
	walk := schema.PIDOf("run", schema.Place{})
	var vertices []schema.PID
	for i := range n {
		vertices = append(vertices, schema.VertexPID(walk, fmt.Sprint("vertex ", i)))
	}
	claim := func(depth int) {
		_, err := l.Visit(t.Context(), ledger.Claim{By: schema.VertexPID(walk, fmt.Sprint(depth)), Depth: depth, Nearer: true}, vertices)
		require.NoError(t, err)
	}
	claim(7)
	assert.InDelta(t, n, m.units["UpdateItem"], 0, "units of the claims")
	// DynamoDB charges half a unit for an item that does not exist, too, which
	// DynamoDB Local leaves out (Developer Guide, "DynamoDB read and write operations").
	before := m.units["BatchGetItem"]
	assert.Equal(t, map[string]int{"UpdateItem": n, "BatchGetItem": 3}, m.calls)
	claim(8)
	assert.Equal(t, map[string]int{"UpdateItem": n, "BatchGetItem": 6}, m.calls, "a farther claim is read away")
	assert.InDelta(t, n/2, m.units["BatchGetItem"]-before, 0, "units of reading what is there")
	// Many shorter ways to one vertex: the item stays small.
	vertices = vertices[:1]
	for depth := range 5 {
		claim(5 - depth)
	}
	assert.InDelta(t, 1, m.most["UpdateItem"], 0, "units of the dearest claim")
	assert.LessOrEqual(t, size(t, config, table, "V#"+vertices[0].String()), 180, "bytes of a vertex with six claims")
}

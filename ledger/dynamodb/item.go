package dynamodb

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// item is an item of the table. A value that is zero is mostly left out: an item
// is charged by its size, names of attributes included.
type item = map[string]types.AttributeValue

// Attributes that every item may have.
const (
	partition = "pk"
	expiresAt = "ttl" // seconds since 1970
	listed    = "ls"  // partition of the index: what is listed
	order     = "at"  // its order there
)

func runKey(run string) string        { return "R#" + run }
func planKey(pid schema.PID) string   { return "P#" + pid.String() }
func leaseKey(name string) string     { return "L#" + name }
func tickKey(schedule string) string  { return "C#" + schedule }
func visitKey(v schema.PID) string    { return "V#" + v.String() }
func sketchKey(run, id string) string { return "K#" + separable.Replace(run) + "#" + id }
func workerKey(run, id string) string { return "W#" + separable.Replace(run) + "#" + id }
func tallyKey(pid schema.PID, epoch int) string {
	return "T#" + pid.String() + "#" + strconv.Itoa(epoch)
}

// separable takes the separator out of a name that others follow.
var separable = strings.NewReplacer("%", "%25", "#", "%23")

func text(s string) types.AttributeValue   { return &types.AttributeValueMemberS{Value: s} }
func binary(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }
func truth(b bool) types.AttributeValue    { return &types.AttributeValueMemberBOOL{Value: b} }

// number is exact: DynamoDB keeps 38 digits.
func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func unsigned(n uint64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatUint(n, 10)}
}

// slotValue is a slot as an element of a set, a byte.
func slotValue(slot int) types.AttributeValue { return binary([]byte{byte(slot)}) }

func slotSet(slot int) types.AttributeValue {
	return &types.AttributeValueMemberBS{Value: [][]byte{{byte(slot)}}}
}

// account are the attributes of an account that are not zero.
func account(a schema.Account) item {
	m := item{}
	for name, v := range map[string]int64{"n": a.Nodes, "o": a.Objects, "b": a.Bytes, "f": a.Failures, "r": a.Reduces} {
		if v != 0 {
			m[name] = number(v)
		}
	}
	return m
}

// reader reads attributes; what is missing is zero. The first that has another
// type than it should is kept as an error.
type reader struct {
	item item
	err  error
}

func attribute[T types.AttributeValue](r *reader, name string) (v T, ok bool) {
	if a, there := r.item[name]; there {
		if v, ok = a.(T); !ok && r.err == nil {
			r.err = fmt.Errorf("unpack item: attribute %s is a %T", name, a)
		}
	}
	return v, ok
}

func (r *reader) text(name string) string {
	if v, ok := attribute[*types.AttributeValueMemberS](r, name); ok {
		return v.Value
	}
	return ""
}

func (r *reader) binary(name string) []byte {
	if v, ok := attribute[*types.AttributeValueMemberB](r, name); ok {
		return v.Value
	}
	return nil
}

func (r *reader) truth(name string) bool {
	v, ok := attribute[*types.AttributeValueMemberBOOL](r, name)
	return ok && v.Value
}

// below calls read with the attributes of a map, if there is one.
func (r *reader) below(name string, read func(*reader)) {
	v, ok := attribute[*types.AttributeValueMemberM](r, name)
	if !ok {
		return
	}
	m := &reader{item: v.Value}
	read(m)
	if m.err != nil {
		r.fail(name, m.err)
	}
}

func (r *reader) digits(name string) string {
	if v, ok := attribute[*types.AttributeValueMemberN](r, name); ok {
		return v.Value
	}
	return "0"
}

// number is the nearest int64: a sum may be beyond one, as schema.Sum says.
func (r *reader) number(name string) int64 {
	s := r.digits(name)
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil {
		return n
	}
	f, _, err := big.ParseFloat(s, 10, 256, big.ToZero)
	if err != nil {
		r.fail(name, err)
		return 0
	}
	n, _ = f.Int64()
	return n
}

func (r *reader) unsigned(name string) uint64 {
	n, err := strconv.ParseUint(r.digits(name), 10, 64)
	if err != nil {
		r.fail(name, err)
	}
	return n
}

func (r *reader) fail(name string, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("unpack item: attribute %s: %w", name, err)
	}
}

func (r *reader) slots(name string) (s ledger.Slots) {
	v, ok := attribute[*types.AttributeValueMemberBS](r, name)
	if !ok {
		return s
	}
	for _, b := range v.Value {
		if len(b) != 1 {
			r.fail(name, fmt.Errorf("an element of %d bytes", len(b)))
			return s
		}
		s.Add(int(b[0]))
	}
	return s
}

func (r *reader) account() schema.Account {
	return schema.Account{
		Nodes: r.number("n"), Objects: r.number("o"), Bytes: r.number("b"),
		Failures: r.number("f"), Reduces: r.number("r"),
	}
}

func (r *reader) pid(name string) (p schema.PID) {
	b := r.binary(name)
	if len(b) != len(p) && len(b) != 0 {
		r.fail(name, fmt.Errorf("%d bytes", len(b)))
	}
	copy(p[:], b)
	return p
}

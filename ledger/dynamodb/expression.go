package dynamodb

import (
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// expression collects what a conditional write says. Every attribute goes by an
// alias: hundreds of words are reserved.
type expression struct {
	names  map[string]string
	values item
	adds   []string
	sets   []string
	conds  []string
}

func newExpression() *expression {
	return &expression{names: map[string]string{}, values: item{}}
}

// name is the alias of an attribute.
func (e *expression) name(attribute string) string {
	e.names["#"+attribute] = attribute
	return "#" + attribute
}

// value is the placeholder of a value.
func (e *expression) value(v types.AttributeValue) string {
	p := ":v" + strconv.Itoa(len(e.values))
	e.values[p] = v
	return p
}

// add adds a number to an attribute, or elements to a set.
func (e *expression) add(attribute string, v types.AttributeValue) {
	e.adds = append(e.adds, e.name(attribute)+" "+e.value(v))
}

func (e *expression) set(attribute string, v types.AttributeValue) {
	e.sets = append(e.sets, e.name(attribute)+" = "+e.value(v))
}

// setAs sets an attribute whose name may hold any characters.
func (e *expression) setAs(attribute string, v types.AttributeValue) {
	alias := "#x" + strconv.Itoa(len(e.names))
	e.names[alias] = attribute
	e.sets = append(e.sets, alias+" = "+e.value(v))
}

// setOnce sets an attribute that the item does not have yet.
func (e *expression) setOnce(attribute string, v types.AttributeValue) {
	n := e.name(attribute)
	e.sets = append(e.sets, n+" = if_not_exists("+n+", "+e.value(v)+")")
}

// where adds a condition; all must hold.
func (e *expression) where(parts ...string) { e.conds = append(e.conds, strings.Join(parts, " ")) }

// is adds the condition that an attribute has a value.
func (e *expression) is(attribute string, v types.AttributeValue) {
	e.where(e.name(attribute), "=", e.value(v))
}

// lacks adds the condition that a slot is not in a set.
func (e *expression) lacks(attribute string, slot int) {
	e.where("NOT contains(" + e.name(attribute) + ", " + e.value(slotValue(slot)) + ")")
}

func (e *expression) update() *string {
	var parts []string
	if len(e.adds) > 0 {
		parts = append(parts, "ADD "+strings.Join(e.adds, ", "))
	}
	if len(e.sets) > 0 {
		parts = append(parts, "SET "+strings.Join(e.sets, ", "))
	}
	if parts == nil {
		return nil
	}
	all := strings.Join(parts, " ")
	return &all
}

func (e *expression) condition() *string {
	if e.conds == nil {
		return nil
	}
	all := "(" + strings.Join(e.conds, ") AND (") + ")"
	return &all
}

// given are the values; an empty map is refused.
func (e *expression) given() item {
	if len(e.values) == 0 {
		return nil
	}
	return e.values
}

// Package filter decides which objects of a listing people want: by globs over
// their keys, by size, age and storage class. It knows only the rows of a listing.
package filter

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ramify/ramify/inventory"
)

// Filter is expressions that an object must meet. A nil Filter is met by all.
// It may be used from many goroutines.
type Filter struct {
	exprs   []string // as they are stored: with times where there were ages
	include []glob
	exclude []glob
	bounds  []func(*inventory.Object) bool // all must hold
	classes []string                       // one of them
	without []string                       // none of them
}

// Error is an expression that is none.
type Error struct {
	Expr string
	Want string // what is wanted instead
}

// maxShown is how many bytes of an expression an error shows: it is to be one line.
const maxShown = 200

// Error names the expression and what is wanted.
func (e *Error) Error() string {
	shown, more := e.Expr, ""
	if len(shown) > maxShown {
		shown, more = shown[:maxShown], fmt.Sprintf("… (%d bytes)", len(e.Expr))
	}
	return fmt.Sprintf("parse filter %q%s: want %s", shown, more, e.Want)
}

// Parse reads expressions; the error is an *Error. Without any it returns nil.
//
//	GLOB             keys that match; several: any of them
//	!GLOB            keys that do not match
//	size>=10MiB      also <, <=, >, =; bytes, or with a decimal or binary unit
//	modified<DATE    also <=, >, >=, =; a day (2026-01-31, UTC) or a time of RFC 3339
//	modified>-7d     younger than that at the time now; s, m, h, d or w
//	class=GLACIER    storage class; several: any of them
//	class!=GLACIER   any other storage class
//
// A glob is held against the key relative to a folder that Match is told of. `*`
// and `?` do not match '/', nor does [a-z]; `**` is any number of whole segments;
// {a,b} is either; a backslash takes the meaning from the next character (\size=1 is a glob). A glob
// with no '/' but at its end is held against every segment that could be meant:
// *.txt against the last one, logs/ against any before it. A '/' at the beginning
// only ties it to the folder, one at the end means all below.
//
// A bound on what is not known of an object does not hold: a delete marker has
// no size.
func Parse(exprs []string, now time.Time) (*Filter, error) {
	if len(exprs) == 0 {
		return nil, nil
	}
	f := &Filter{}
	for _, expr := range exprs {
		if err := f.add(expr, now); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *Filter) add(expr string, now time.Time) error {
	stored := expr
	if !utf8.ValidString(expr) {
		return &Error{Expr: expr, Want: "UTF-8, as all keys are"}
	}
	var want string
	switch field, op, value := cut(expr); field {
	case "size":
		want = f.addSize(op, value)
	case "modified":
		stored, want = f.addModified(op, value, now)
	case "class":
		want = f.addClass(op, value)
	default:
		want = f.addGlob(expr)
	}
	if want != "" {
		return &Error{Expr: expr, Want: want}
	}
	f.exprs = append(f.exprs, stored)
	return nil
}

// operators, longer ones first.
var operators = []string{">=", "<=", "!=", ">", "<", "="}

// cut takes a bound apart; field is "" of what is none. Case and blanks do not
// matter: what looks like a bound must not pass for a glob.
func cut(expr string) (field, op, value string) {
	for _, field := range []string{"size", "modified", "class"} {
		if len(expr) < len(field) || !strings.EqualFold(expr[:len(field)], field) {
			continue
		}
		rest := strings.TrimLeft(expr[len(field):], " ")
		for _, op := range operators {
			if value, ok := strings.CutPrefix(rest, op); ok {
				return field, op, strings.TrimSpace(value)
			}
		}
	}
	return "", "", ""
}

func (f *Filter) addClass(op, value string) (want string) {
	value = strings.ToUpper(value)
	switch {
	case value == "":
		return "a storage class, such as class=GLACIER"
	case op == "=":
		f.classes = append(f.classes, value)
	case op == "!=":
		f.without = append(f.without, value)
	default:
		return "= or != between class and its value"
	}
	return ""
}

func (f *Filter) addGlob(expr string) (want string) {
	to, text := &f.include, expr
	if rest, not := strings.CutPrefix(expr, "!"); not {
		if field, _, _ := cut(rest); field != "" {
			return "a bound without !, turned round (>= for <, != for =)"
		}
		to, text = &f.exclude, rest
	}
	globs, want := compile(text)
	*to = append(*to, globs...)
	return want
}

// Match reports whether the object meets the filter. The first folder bytes of
// its key are the folder that globs begin below.
func (f *Filter) Match(o *inventory.Object, folder int) bool {
	if f == nil {
		return true
	}
	for _, holds := range f.bounds {
		if !holds(o) {
			return false
		}
	}
	if len(f.classes) > 0 && !slices.Contains(f.classes, o.StorageClass) || slices.Contains(f.without, o.StorageClass) {
		return false
	}
	if len(f.include)+len(f.exclude) == 0 {
		return true
	}
	key := o.Key[min(folder, len(o.Key)):]
	last := key[strings.LastIndexByte(key, '/')+1:]
	return (len(f.include) == 0 || anyMatches(f.include, key, last)) && !anyMatches(f.exclude, key, last)
}

func anyMatches(globs []glob, key, last string) bool {
	for i := range globs {
		if globs[i].match(key, last) {
			return true
		}
	}
	return false
}

// Needs are the columns of an inventory that the filter's bounds are about.
func (f *Filter) Needs() (columns []string) {
	if f == nil {
		return nil
	}
	for _, expr := range f.exprs {
		switch field, _, _ := cut(expr); field {
		case "size":
			columns = append(columns, "Size")
		case "modified":
			columns = append(columns, "LastModifiedDate")
		case "class":
			columns = append(columns, "StorageClass")
		}
	}
	return columns
}

// Encode is the filter as text, which Decode makes the same filter of at any
// time; "" is none.
func (f *Filter) Encode() string {
	if f == nil {
		return ""
	}
	text, err := json.Marshal(f.exprs)
	if err != nil {
		panic(err) // strings
	}
	return string(text)
}

// Decode reads what Encode wrote.
func Decode(text string) (*Filter, error) {
	if text == "" {
		return nil, nil
	}
	var exprs []string
	if err := json.Unmarshal([]byte(text), &exprs); err != nil {
		return nil, fmt.Errorf("decode filter: %w", err)
	}
	return Parse(exprs, time.Time{}) // there are no ages left
}

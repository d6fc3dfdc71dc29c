package schedule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// EventBridge is the expression as Amazon EventBridge Scheduler writes it. One that
// restricts both the day of the month and the day of the week, and is due on either,
// it cannot say; there each is a schedule of its own, one of which a tick may have in
// common: what it starts has one name.
//
// Source: Amazon EventBridge Scheduler User Guide, "Schedule types", "Cron-based
// schedules": six fields, one of the two days is "?", and Sunday is day 1.
func (e *Expression) EventBridge() []string {
	var f [5]string
	for i := range f {
		f[i] = e.listed(i)
	}
	dom, dow := f[2], f[4]
	write := func(dom, dow string) string {
		return fmt.Sprintf("cron(%s %s %s %s %s *)", f[0], f[1], dom, f[3], dow)
	}
	switch {
	case dow == "*":
		return []string{write(dom, "?")}
	case dom == "*":
		return []string{write("?", dow)}
	case strings.HasPrefix(e.fields[2], "*") || strings.HasPrefix(e.fields[4], "*"):
		// As cron has it of old, a field that begins with * must hold as well: of both.
		return nil
	default:
		return []string{write(dom, "?"), write("?", dow)}
	}
}

// listed is a field with its steps and ranges written out: there they mean something
// else, or nothing.
func (e *Expression) listed(i int) string {
	k := kinds[i]
	numbers, special := map[int]bool{}, []string(nil)
	for value := range strings.SplitSeq(e.fields[i], ",") {
		if k.special != nil && k.special.MatchString(value) {
			special = append(special, sundayFirst(i, value))
			continue
		}
		all, err := expand(i, value)
		if err != nil { // it was checked
			panic(err)
		}
		for _, n := range all {
			if i == 4 {
				n = n%7 + 1
			}
			numbers[n] = true
		}
	}
	least, most := k.least, k.most
	if i == 4 {
		least = 1
	}
	if len(special) == 0 && len(numbers) == most-least+1 {
		return "*"
	}
	var list []string
	for n := least; n <= most; n++ {
		if numbers[n] {
			list = append(list, strconv.Itoa(n))
		}
	}
	return strings.Join(slices.Concat(list, special), ",")
}

// sundayFirst is a special day with the days of the week from 1.
func sundayFirst(i int, value string) string {
	if i != 4 {
		return value
	}
	return strconv.Itoa(int(value[0]-'0')%7+1) + value[1:]
}

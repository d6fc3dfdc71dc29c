// Package totals makes exact totals per prefix — objects, bytes, the newest
// modification, storage classes — of a listing that many units made in pieces,
// in memory that grows neither with keys nor with prefixes. Where it is asked for,
// each prefix has digests, too, by which two trees are compared.
//
// A prefix is what a key has up to and with a '/' behind the base, the prefix
// of the whole listing; its depth is how many such '/' it has. The base is the
// one line of depth 0, whether it ends in '/' or not.
//
// What is counted on the way is written as blocks: the lines of one depth, in
// the order of their prefixes, each prefix once in a block. A Tally makes them
// of keys in order, a Loose of keys in any. A block begins with its depth and
// its first prefix, so written that the order of bytes is that of (depth,
// prefix). Whoever keeps blocks gives them back in the order of their bytes,
// sorted outside of memory, and Merge makes of them every line once, in that
// order, holding only the blocks that overlap where it stands.
//
// Why by depth first: a prefix comes before what is below it, and its totals are
// known only when all below it has been seen. In key order each prefix would
// wait in memory for its end, or come after its content as `du` has it; depth
// by depth, what is to be summed is side by side, and so are the children of a
// prefix, for who wants to see just these. A Book is the lines on a shelf, to be
// read in part, and in key order: one page is open for each depth.
package totals

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// All is the depth that no key exceeds.
const All = math.MaxInt

// ParseDepth reads a number of levels or "all".
func ParseDepth(s string) (int, error) {
	if s == "all" {
		return All, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("depth is %q, want a number of levels, 0 or more, or all", s)
	}
	return n, nil
}

// ErrBlock is wrapped by errors about blocks that are damaged, or that were not
// given in the order of their bytes.
var ErrBlock = errors.New("block of totals is damaged or out of order")

// Line is the totals of one prefix: of all keys that begin with it.
type Line struct {
	Prefix string // ends in '/', but for the base
	Depth  int    // prefixes behind the base, this one included
	Sums
}

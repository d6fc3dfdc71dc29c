package s3crawl

import (
	"context"
	"sync"
	"time"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor/s3crawl/listxml"
)

// Lister is what a crawl needs of S3; *Client is one. It is called from as many
// goroutines as there are slots.
type Lister interface {
	// List gets one page. What it returns is whole and in order, or it is an
	// error: keys begin with the prefix, come after the query's, ascend by their
	// bytes and are UTF-8; none is left out, and Page.More is what the answer
	// said. It retries what may pass; its errors are final for the caller's
	// attempt, and permanent (processor.IsPermanent) only where the crawl says so.
	//
	// Requests that go out on the wire are counted by the lister, each repeated
	// one too, through Query.Count.
	List(ctx context.Context, q Query) (Page, error)
}

// Query asks for one page.
type Query struct {
	Bucket, Prefix string
	Delimiter      string // "": all keys that begin with the prefix
	After          string // only keys after it; "": from the start
	Token          string // Page.Token of the page before, instead of After

	// Versions asks for all versions of objects and for delete markers: several
	// objects a key, the newest first. There is no Token then, but Page.After and
	// Page.Mark of the page before are After and Mark of the next.
	Versions bool
	Mark     string // of key After, the versions behind this one too

	ETags bool // objects' ETags are wanted; else they may be left out

	// Count, where set, is called before List returns, also with an error, with
	// how many requests of a name were made: "list", and of these "throttled",
	// which were refused because there were too many.
	Count func(request string, n int64)
}

// Page is one page of a listing. Its strings are cut out of memory that they
// share: whoever keeps one longer than the page clones it.
type Page struct {
	Objects  []inventory.Object
	Prefixes []string // with a delimiter: the common prefixes
	More     bool
	Token    string // for the page after it, if there is one; needs no clone

	After, Mark string // of versions: where the page after it begins; need no clone

	memory *listxml.Page
	took   time.Duration // to get it, retries included
}

// Release gives the page's slices back to be used for another page. Its strings
// stay as they are. A page that is not released is the garbage collector's.
func (p *Page) Release() {
	if p.memory != nil {
		p.memory.Reset()
		pages.Put(p.memory)
	}
	*p = Page{}
}

var pages = sync.Pool{New: func() any { return new(listxml.Page) }}

// pageKeys is how many keys S3 puts on a page at most.
const pageKeys = 1000

package s3crawl

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ramify/ramify/processor/s3crawl/listxml"
	"github.com/ramify/ramify/s3client"
)

// check makes sure that an answer is a whole page of what was asked for, and
// completes its objects. A page that does not say whether it is the last, or
// miscounts, was cut off on its way.
func check(q *Query, pg *listxml.Page) error {
	n := len(pg.Objects) + len(pg.Prefixes)
	switch {
	case !pg.SaysTruncated:
		return badPage("it does not say whether there is more (if the endpoint is not S3, check AWS_ENDPOINT_URL)")
	case pg.KeyCount != n && !q.Versions: // none at all stands for 0 on some servers
		return badPage("it counts %d keys and holds %d", pg.KeyCount, n)
	}
	before, mark := q.After, q.Mark
	for i := range pg.Objects {
		o := &pg.Objects[i]
		if q.Versions && o.Key == before && (i > 0 || mark != "") {
			if o.VersionID == mark {
				return badPage("version %q of key %q comes twice", mark, o.Key)
			}
		} else if err := q.takes(o.Key, before, pg.UTF8); err != nil {
			return err
		}
		if q.Delimiter != "" && strings.Contains(o.Key[len(q.Prefix):], q.Delimiter) {
			return badPage("key %q is not directly below the prefix", o.Key)
		}
		if o.Size < 0 || o.Size > maxSize {
			return badPage("key %q has a size of %d", o.Key, o.Size)
		}
		o.Bucket, before, mark = q.Bucket, o.Key, o.VersionID
	}
	before = ""
	for _, name := range pg.Prefixes {
		if err := q.takes(name, before, pg.UTF8); err != nil {
			return err
		}
		if len(name) <= len(q.Prefix) || !strings.HasSuffix(name, q.Delimiter) {
			return badPage("common prefix %q is not one below %q", name, q.Prefix)
		}
		before = name
	}
	switch {
	case !pg.IsTruncated:
	case q.Versions:
		return q.goesOn(pg)
	case len(pg.Objects) == 0 && pg.NextToken == "":
		return badPage("there is more, but no key and no token to go on from")
	case pg.NextToken != "" && pg.NextToken == q.Token: // asked with it again, it would answer so for ever
		return badPage("its token for the next page is its own")
	}
	return nil
}

// goesOn makes sure that a page of versions says where to go on, and makes that
// the last version on it where there is one: what comes after a version is what
// all servers agree on.
func (q *Query) goesOn(pg *listxml.Page) error {
	if n := len(pg.Objects); n > 0 && q.Delimiter == "" {
		last := &pg.Objects[n-1]
		if pg.NextKeyMarker != last.Key || pg.NextVersionIDMarker == "" {
			pg.NextKeyMarker, pg.NextVersionIDMarker = strings.Clone(last.Key), strings.Clone(last.VersionID)
		}
		if pg.NextVersionIDMarker == "" {
			return badPage("there is more, but no version to go on from")
		}
		return nil
	}
	next := pg.NextKeyMarker
	if next < q.After || next == q.After && (pg.NextVersionIDMarker == "" || pg.NextVersionIDMarker == q.Mark) || !utf8.ValidString(next) {
		return badPage("there is more, but no key to go on from after %q", q.After)
	}
	return nil
}

// takes checks a name that follows another, and that may be known to be UTF-8.
func (q *Query) takes(name, before string, valid bool) error {
	switch {
	case !valid && !utf8.ValidString(name):
		return badPage("key %q is not UTF-8, as all keys of S3 are", name)
	case !strings.HasPrefix(name, q.Prefix):
		return badPage("key %q does not begin with the prefix", name)
	case name <= before && (before != "" || name == ""):
		return badPage("key %q comes after %q: not in the order of UTF-8", name, before)
	}
	return nil
}

// pageOf is a checked answer as a page, which owns its memory.
func pageOf(pg *listxml.Page) Page {
	return Page{
		Objects: pg.Objects, Prefixes: pg.Prefixes, More: pg.IsTruncated, Token: pg.NextToken,
		After: pg.NextKeyMarker, Mark: pg.NextVersionIDMarker, memory: pg,
	}
}

// badPage is a page that cannot be trusted.
func badPage(format string, a ...any) error {
	return &s3client.AnswerError{What: "answer is not a whole page: " + fmt.Sprintf(format, a...)}
}

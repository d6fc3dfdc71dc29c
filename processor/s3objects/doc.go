// Package s3objects makes nodes of the objects of a crawl: one for each object, of
// any kind, or one for some of them together. So any processor works on objects,
// with retries, failures and redrive of its own for each.
//
// The node of kind "s3.objects" is a crawl (package s3crawl). It would be dear to
// post a message for every object, so it reveals parts of pages, as ranges of keys
// and not as lists of them: their messages are small. A part lists its range again
// and reveals the objects in it, few enough to be done at once, within the inline
// budget. That costs a LIST for every 250 objects more than the crawl alone. An
// object that fails becomes a message of its own.
//
// What works on the body of an object is written as Content: Streamed makes a
// of it, which streams the body as it was listed. Hash is one.
package s3objects

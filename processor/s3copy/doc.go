// Package s3copy is the processor of kind "s3.copy": it copies the objects of a
// bucket to another place, as a crawl finds them, and never deletes.
//
// A node is a node of a crawl (s3crawl.Pages): a page of the source is set beside
// the same range of keys of the destination, one LIST for one, and what is equal
// there is passed over. The rest is copied within the unit, on as many slots as
// there are: by one CopyObject, by UploadPartCopy above 5 GiB, or through the task
// (GET and PUT) where the destination's account cannot read the source.
//
// The source is pinned by its ETag: an object that changes meanwhile is not put
// together of two, but fails. An object that fails does not fail its range: it
// gets a row in the report and becomes a node of its own, which is retried, counts
// as a failure of the run if it must, and is copied by a redrive.
//
// Nothing is remembered beside S3 itself. What was copied is seen to be equal; a
// multipart copy that was interrupted is found by the parts in which it says whose
// it is (upload.go).
//
// Source: Amazon S3 API Reference, "CopyObject", "UploadPartCopy"; Amazon S3 User
// Guide, "Copying, moving, and renaming objects", "Checking object integrity".
package s3copy

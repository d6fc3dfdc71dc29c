// Package s3serve is a read-only S3-compatible server over a sorted list of
// objects held in memory. It exists to be walked: by `make run` over a real
// folder, by tests that need faults and changes at chosen moments, and by
// benchmarks that must measure the client and not the server.
//
// A [Listing] holds the objects of one bucket: the files of a folder ([Tree]),
// a list of keys ([Keys]), objects of the caller's own ([FromObjects]) or
// versions of them ([FromVersions]). A [Handler] serves listings by bucket name,
// answering ListObjectsV2, ListObjectVersions, ListBuckets, GetBucketLocation,
// HeadBucket, HeadObject and GetObject in the form AWS gives them. [Start] puts
// any handler on a loopback port.
//
// Requests are not authenticated, and nothing can be written through the
// server: every write is answered with AccessDenied.
package s3serve

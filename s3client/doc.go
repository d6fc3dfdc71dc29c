// Package s3client speaks to S3 through the AWS SDK, for every room that does:
// one configuration, each bucket in its own region, retries of what may pass,
// bounds on what an endpoint may send, and errors in one line that name the way
// out. What is asked, and what the answer means, is for those who ask.
package s3client

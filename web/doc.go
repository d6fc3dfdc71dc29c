// Package web is the page on which people see runs, and the API behind it: figures
// as JSON and as server-sent events, and the buttons. docs/web.md describes both.
//
// It is mounted onto a mux that stands behind a guard, which checks whom a request is
// for, and which page sent it. What the page itself is made of holds nothing secret
// and is for anybody; all of /api wants the token. A GET changes nothing. No request
// of the page leaves the server: Content-Security-Policy says so to browsers.
//
// Readings are taken once a second for all who look at a run, and only while somebody
// does.
package web

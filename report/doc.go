// Package report is a run on paper: one HTML file that needs nothing else, Markdown, or
// JSON, all of the same Report.
//
// The HTML has no script and loads nothing: charts and the treemap are SVG, made here, so
// it can be mailed, printed, and opened from disk in any browser. Whatever comes from
// outside, such as keys, names and errors, is cleaned and escaped where it is written.
// Whoever makes a Report bounds it; what is left out of a list is counted.
package report

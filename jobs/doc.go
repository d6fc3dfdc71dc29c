// Package jobs reads jobs.yaml: named commands with parameters, that nodes are
// processed by.
//
//	jobs:
//	  thumbnail:
//	    params: {key: , width: "640"}
//	    run: [convert, "{{key}}", -resize, "{{width}}x", "out/{{key}}"]
//	    timeout: 2m
//
// A placeholder fills a whole argument or a part of one, and never more than one:
// what a parameter holds is data, whatever is in it. Nothing is handed to a shell
// unless the job says `shell: true`, and then parameters come as variables.
//
// A field that is not known is an error, and so is a value out of bounds: a typing
// mistake must not become a job that does something else. docs/processors/command.md
// describes the format for people.
package jobs

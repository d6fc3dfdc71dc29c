// Command checksums is ramify with one kind of its own: a template for yours.
//
//	go run ./examples/processor run '{"kind": "checksum", "id": "/usr/include"}' --out sums/
//
// docs/processors/own.md explains it.
package main

import (
	"github.com/ramify/ramify/app"
	"github.com/ramify/ramify/examples/processor/checksum"
	"github.com/ramify/ramify/processor"
)

func main() {
	app.Main(processor.Set{checksum.Kind: checksum.Processor{}})
}

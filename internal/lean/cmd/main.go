// Command cmd prints the path of a go.mod that it writes:
//
//	go build -modfile="$(go run ./internal/lean/cmd)" ./cmd/ramify
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/ramify/ramify/internal/lean"
)

func main() {
	path, err := lean.Modfile(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "lean:", err)
		os.Exit(2)
	}
	fmt.Println(path)
}

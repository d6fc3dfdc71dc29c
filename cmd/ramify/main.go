// Command ramify walks trees too big for one machine, and small ones too.
package main

import "github.com/ramify/ramify/app"

func main() { app.Main(nil) }

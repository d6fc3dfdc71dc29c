package console

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// needsASCII reports whether the locale says that a terminal shows no UTF-8. Where
// nothing says so it does: of containers and services few have a locale, and most
// terminals are.
//
// Source: POSIX.1-2017, "Internationalization Variables".
func needsASCII(getenv func(string) string) bool {
	if runtime.GOOS == "windows" {
		return false // its consoles are told UTF-16
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := getenv(name); v != "" {
			v = strings.ReplaceAll(strings.ToLower(v), "-", "")
			return !strings.Contains(v, "utf8")
		}
	}
	return false
}

func asciiHere() bool { return needsASCII(os.Getenv) }

// inASCII is what we draw with, one character for one.
var inASCII = map[rune]byte{
	'▁': '.', '▂': '.', '▃': ':', '▄': ':', '▅': ':', '▆': '#', '▇': '#', '█': '#',
	'·': '|', '—': '-', '–': '-', '…': '~',
	'⣷': '|', '⣯': '/', '⣟': '-', '⡿': '\\', '⢿': '|', '⣻': '/', '⣽': '-', '⣾': '\\',
}

// toASCII is a line in ASCII: what we draw with as what looks like it, all else as Clean
// escapes it.
func toASCII(line string) string {
	var b strings.Builder
	for _, r := range line {
		switch c, ours := inASCII[r]; {
		case r < 0x80:
			b.WriteRune(r)
		case ours:
			b.WriteByte(c)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

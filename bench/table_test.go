package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// table is a race as Markdown; the first result is Ramify's.
func table(title string, results []result) string {
	var t strings.Builder
	fmt.Fprintf(&t, "### %s\n\n", title)
	t.WriteString("| tool | runs | wall s | × ours | CPU s | × ours | peak MiB | LISTs | in flight | server CPU s |\n|---|---|---|---|---|---|---|---|---|---|\n")
	us := &results[0]
	for i := range results {
		r := &results[i]
		if r.wrong != nil {
			fmt.Fprintf(&t, "| %s | %d | failed: %s | | | | | | | |\n", r.name, len(r.laps), cell(r.wrong.Error()))
			continue
		}
		fmt.Fprintf(&t, "| %s | %d | %s | %s | %s | %s | %s | %s | %s | %s |\n", r.name, len(r.laps),
			r.wall().text(2), times(r.wall(), us.wall()), r.cpu().text(2), times(r.cpu(), us.cpu()),
			r.rss().text(0), r.lists().text(0), r.peak().text(0), r.serverCPU().text(2))
	}
	t.WriteByte('\n')
	return t.String()
}

// text is the median and, where there is one, the range.
func (s spread) text(digits int) string {
	f := func(x float64) string { return fmt.Sprintf("%.*f", digits, x) }
	if f(s.low) == f(s.high) {
		return f(s.mid)
	}
	return f(s.mid) + " (" + f(s.low) + "–" + f(s.high) + ")"
}

func times(r, us spread) string {
	if us.mid == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", r.mid/us.mid)
}

// cell is text that cannot end a cell or a row.
func cell(s string) string {
	return strings.NewReplacer("\n", " ", "|", "/").Replace(strings.TrimSpace(s))
}

func bullets(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "- " + strings.Join(lines, "\n- ") + "\n\n"
}

// legend says who the tools are.
func legend(results []result) string {
	var lines []string
	for i := range results {
		lines = append(lines, results[i].name+": "+results[i].about)
	}
	return bullets(lines)
}

// publish shows a table and adds it to the file of tables.
func (o *options) publish(b *testing.B, text string) {
	b.Helper()
	fmt.Fprint(os.Stderr, "\n"+text)
	must(b, os.MkdirAll(filepath.Dir(o.tables), 0o755))
	f, err := os.OpenFile(o.tables, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	must(b, err)
	_, err = f.WriteString(text)
	must(b, err)
	must(b, f.Close())
}

// occasion is what a figure needs to be read later.
func occasion() string {
	return fmt.Sprintf("%s, %d cores, %s %s/%s", time.Now().UTC().Format("2006-01-02 15:04 MST"), runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

package jobs

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// carrier is a program that runs the program that its arguments name.
type carrier struct {
	short   string   // letters of options that have a value, in the same word or in the next
	long    []string // options that have a value in the next word, where no = is in theirs
	before  int      // arguments before the program
	assigns bool     // NAME=VALUE before the program is a variable
	scripts []string // options whose value is cut into words, or read by a shell
}

// carriers are by name. Sources: the manual pages of GNU coreutils and findutils,
// util-linux, sudo, OpenBSD's doas, gosu and su-exec.
var carriers = map[string]carrier{
	"busybox": {},
	"chroot":  {before: 1, long: []string{"--userspec", "--groups"}},
	"chrt":    {before: 1, short: "TPDp", long: []string{"--sched-runtime", "--sched-period", "--sched-deadline"}},
	"doas":    {short: "aCu"},
	"env":     {assigns: true, short: "uCS", long: []string{"--unset", "--chdir", "--split-string"}, scripts: []string{"-S", "--split-string"}},
	"gosu":    {before: 1},
	"ionice":  {short: "cnpPu", long: []string{"--class", "--classdata"}},
	"nice":    {short: "n", long: []string{"--adjustment"}},
	"nohup":   {},
	"runuser": {short: "ucgGsTw", long: []string{"--user", "--command", "--session-command", "--group", "--supp-group", "--shell"}, scripts: []string{"-c", "--command", "--session-command"}},
	"setpriv": {long: []string{"--ruid", "--euid", "--reuid", "--rgid", "--egid", "--regid", "--groups", "--inh-caps", "--ambient-caps", "--bounding-set", "--securebits", "--pdeathsig", "--selinux-label", "--apparmor-profile"}},
	"setsid":  {},
	"stdbuf":  {short: "ioe", long: []string{"--input", "--output", "--error"}},
	"su-exec": {before: 1},
	"sudo":    {assigns: true, short: "CDghpRrTtUu", long: []string{"--close-from", "--chdir", "--group", "--host", "--prompt", "--chroot", "--role", "--command-timeout", "--type", "--other-user", "--user"}},
	"taskset": {before: 1},
	"time":    {short: "of", long: []string{"--output", "--format"}},
	"timeout": {before: 1, short: "ks", long: []string{"--kill-after", "--signal"}},
	"unshare": {short: "SGRw", long: []string{"--setuid", "--setgid", "--root", "--wd", "--map-user", "--map-group", "--map-users", "--map-groups", "--propagation", "--setgroups"}},
	"xargs":   {short: "adEILnPs", long: []string{"--arg-file", "--delimiter", "--max-args", "--max-procs", "--max-chars", "--process-slot-var"}},
}

func carrierOf(t Text) (c carrier, is bool) {
	c, is = carriers[path.Base(t.String())]
	return c, is
}

// checkCarried refuses placeholders that choose the program which a carrier runs, or
// an option of the carrier's, also where one carrier runs another.
func (r *reader) checkCarried(n *yaml.Node, field string, program Program) {
	for at := 0; at < len(program) && r.err == nil; {
		c, is := carrierOf(program[at])
		if !is {
			return
		}
		name := path.Base(program[at].String())
		at = r.checkCarrier(n, field, program, at, &c, name)
	}
}

// checkCarrier checks the arguments of the carrier at a place, up to its program, and
// returns the program's place.
func (r *reader) checkCarrier(n *yaml.Node, field string, program Program, from int, c *carrier, name string) int {
	refuse := func(i int, want string) {
		r.fail(at(n), fmt.Sprintf("%s[%d]", field, i), program[i].String(), want)
	}
	const script = "a text without placeholders, which data would become a part of"
	before, options := c.before, true
	for i := from + 1; i < len(program) && r.err == nil; i++ {
		arg := program[i]
		word := arg.String()
		switch fixed := arg.fixed(); {
		case options && word == "--":
			options = false
		case options && strings.HasPrefix(fixed, "-") && word != "-":
			option, ends, next := c.option(fixed)
			switch {
			case len(arg.params()) > 0 && !ends:
				refuse(i, "an option of "+name+" that no parameter chooses")
			case len(arg.params()) > 0 && c.reads(option):
				refuse(i, script)
			case next && len(arg.params()) == 0 && i+1 < len(program):
				i++
				if len(program[i].params()) > 0 && c.reads(option) {
					refuse(i, script)
				}
			}
		case word == "-":
		case c.assigns && strings.Contains(fixed, "="):
			if variable, _, _ := strings.Cut(fixed, "="); chooses(variable) && len(arg.params()) > 0 {
				refuse(i, "a text without placeholders: no parameter may choose the program")
			}
		case before > 0:
			before--
			options = false
		case len(arg.params()) > 0:
			refuse(i, "the name of a program, which "+name+" runs: no parameter may choose it")
		default:
			return i
		}
	}
	return len(program)
}

// option reads the beginning of a word that is an option: which it is, the last of
// those in it; whether what follows in the word is its value; and whether its value
// is the next word.
func (c *carrier) option(fixed string) (option string, ends, next bool) {
	if strings.HasPrefix(fixed, "--") {
		name, _, valued := strings.Cut(fixed, "=")
		return name, valued, !valued && slices.Contains(c.long, name)
	}
	for i, letter := range fixed[1:] {
		if strings.ContainsRune(c.short, letter) {
			return "-" + string(letter), true, i+2 == len(fixed)
		}
	}
	return fixed, false, false
}

// reads reports whether the value of an option is a script, also of one that is cut
// short: --split is --split-string.
func (c *carrier) reads(option string) bool {
	return slices.ContainsFunc(c.scripts, func(script string) bool { return strings.HasPrefix(script, option) })
}

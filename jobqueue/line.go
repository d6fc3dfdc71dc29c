package jobqueue

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ParseLine reads a line of a batch: a queue, and a command behind it. ok is false where
// there is nothing on it, or a comment. A command is taken apart into arguments as a
// shell does with words in quotes, and in nothing else; or it is a JSON list of them; or,
// with shell, it is a script as it stands.
func ParseLine(line string, shell bool) (queue string, j Job, ok bool, err error) {
	if !utf8.ValidString(line) {
		return "", Job{}, true, fmt.Errorf("%q is not UTF-8", line)
	}
	line = strings.TrimFunc(line, unicode.IsSpace)
	if line == "" || line[0] == '#' {
		return "", Job{}, false, nil
	}
	at := strings.IndexFunc(line, unicode.IsSpace)
	if at < 0 {
		return "", Job{}, false, fmt.Errorf("%q is a queue, and no command is behind it", line)
	}
	queue, command := line[:at], strings.TrimSpace(line[at:])
	switch {
	case shell:
		return queue, Job{Argv: []string{command}, Shell: true}, true, nil
	case command[0] == '[':
		err = json.Unmarshal([]byte(command), &j.Argv)
		if err != nil {
			err = fmt.Errorf("%q is no JSON list of arguments: %w", command, err)
		}
	default:
		j.Argv, err = words(command)
	}
	if err == nil && len(j.Argv) == 0 {
		err = errors.New("no command is behind the queue")
	}
	return queue, j, true, err
}

// shellOnly are characters that a shell takes for more than themselves.
const shellOnly = "|&;<>()$`*?[~"

// words takes a command apart: 'as it is', "with \" and \\", and \x outside of quotes.
func words(command string) ([]string, error) {
	var all []string
	var word strings.Builder
	in, quote := false, rune(0)
	text := []rune(command)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote == '\'' && c != '\'', quote == '"' && c != '"' && c != '\\' && c != '$' && c != '`':
			word.WriteRune(c)
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\':
			i++
			if i == len(text) {
				return nil, fmt.Errorf("%q ends with a backslash", command)
			}
			if quote == '"' && !strings.ContainsRune("\"\\$`", text[i]) {
				word.WriteRune('\\')
			}
			word.WriteRune(text[i])
			in = true
		case c == '\'' || c == '"':
			quote, in = c, true
		case unicode.IsSpace(c):
			if in {
				all = append(all, word.String())
				word.Reset()
			}
			in = false
		case strings.ContainsRune(shellOnly, c) && (c != '~' || !in):
			return nil, fmt.Errorf("%q has a %q that only a shell understands: put the word between single quotes, or say --shell, here and to the worker", command, string(c))
		default:
			word.WriteRune(c)
			in = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("%q has a %c that is not closed", command, quote)
	}
	if in {
		all = append(all, word.String())
	}
	return all, nil
}

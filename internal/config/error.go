package config

import (
	"fmt"
	"strings"
)

// Mistake is one thing that is wrong in a configuration.
type Mistake struct {
	Path    string // such as accounts[0].regions[1]; empty for the whole file
	Line    int    // from 1; 0 for the whole file
	Message string // holds no secret
}

// Error lists every mistake of one configuration, from top to bottom.
type Error struct {
	File     string // empty when the configuration came from no file
	Mistakes []Mistake
}

// Error gives one line, in the form file:line: path: message, for each
// mistake.
func (e *Error) Error() string {
	lines := make([]string, len(e.Mistakes))
	for i, m := range e.Mistakes {
		lines[i] = m.at(e.File) + m.String()
	}
	return strings.Join(lines, "\n")
}

// String gives path and message.
func (m Mistake) String() string {
	if m.Path == "" {
		return m.Message
	}
	return m.Path + ": " + m.Message
}

func (m Mistake) at(file string) string {
	switch {
	case file != "" && m.Line > 0:
		return fmt.Sprintf("%s:%d: ", file, m.Line)
	case file != "":
		return file + ": "
	case m.Line > 0:
		return fmt.Sprintf("line %d: ", m.Line)
	}
	return ""
}

package lint

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	kyaml "sigs.k8s.io/yaml"
)

var (
	// lineOfError matches the line number in an error of a YAML library.
	lineOfError = regexp.MustCompile(`^(?:error converting YAML to JSON: )?(?:yaml: )?(?:unmarshal errors:\s+)?(?:line (\d+): )?`)
	// fromParser matches the errors of the libraries' parser. It numbers lines from
	// 0, the scanner from 1.
	fromParser = regexp.MustCompile(`^(did not find expected (node content|key|'-' indicator|',' or .*|<document start>)|found undefined tag handle)$`)
	// atItsStart matches the errors on a value that does not end.
	atItsStart = regexp.MustCompile(`^(could not find expected ':'|found unexpected end of stream|did not find expected ',' or .*)$`)
	// unknownAnchor matches the only error without a line that names what it is
	// about.
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.+)' referenced$`)
)

// syntaxProblem returns an error of a decoder as a problem at its place.
func (d document) syntaxProblem(err error) *problem {
	line, message := cutLine(err)
	found := &problem{ruleSyntax, message, &yaml.Node{Line: max(line, 1), Column: 1}}
	switch anchor := unknownAnchor.FindStringSubmatch(message); {
	case strings.HasPrefix(message, "exceeded max depth"):
		// The libraries have a limit of their own, which they reach first.
		return tooDeep(beginning)
	case strings.Contains(message, "UTF-8") || strings.HasPrefix(message, "control characters"):
		found.node.Line, found.node.Column = unreadable(d.text)
	case anchor != nil:
		before, _, _ := bytes.Cut(d.text, []byte("*"+anchor[1]))
		found.node.Line = 1 + bytes.Count(before, []byte("\n"))
	case line > 0:
		found.node.Line = d.lineOf(message, line)
	}
	return found
}

func cutLine(err error) (line int, message string) {
	match := lineOfError.FindStringSubmatch(err.Error())
	line, _ = strconv.Atoi(match[1])
	return line, err.Error()[len(match[0]):]
}

// lineOf returns the line of an error. The library that reads nodes reports where
// a value starts, and the one that kubectl uses where it breaks. Both number lines
// in two ways, and report none for the first line. So both read the document again,
// after a comment.
func (d document) lineOf(message string, reported int) int {
	text := append([]byte("#\n"), d.text...)
	var err error
	if atItsStart.MatchString(message) {
		err = yaml.Unmarshal(text, &yaml.Node{})
	} else {
		_, err = kyaml.YAMLToJSON(text)
	}
	if err == nil {
		return reported
	}
	line, again := cutLine(err)
	if line == 0 || again != message {
		return reported
	}
	if !fromParser.MatchString(message) {
		line--
	}
	// A value that lacks its end breaks after the text.
	last := 1 + bytes.Count(bytes.TrimSpace(d.text), []byte("\n"))
	return max(min(line, last), 1)
}

// unreadable returns the place of the first character that YAML does not allow.
func unreadable(text []byte) (line, column int) {
	line, column = 1, 1
	for len(text) > 0 {
		letter, size := utf8.DecodeRune(text)
		switch {
		case letter == utf8.RuneError && size == 1, letter < ' ' && !strings.ContainsRune("\t\r\n", letter), letter >= 0x7f && letter < 0xa0 && letter != 0x85:
			return line, column
		case letter == '\n':
			line, column = line+1, 0
		}
		text, column = text[size:], column+1
	}
	return 1, 1
}

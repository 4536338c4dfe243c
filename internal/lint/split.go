package lint

import (
	"bytes"
	"encoding/json"
)

// maxDocuments bounds how many documents a text is cut into. What is left over is
// one more, which the decoder takes if it is small.
const maxDocuments = 100_000

// byteOrderMark is at the start of files of some editors.
var byteOrderMark = []byte("\xef\xbb\xbf")

// document is a part of a source: a YAML document or a JSON value.
type document struct {
	source *Source
	// line of the source before the first of text.
	line int
	// column of the source before the first of text, where several JSON values are
	// on one line.
	column int
	text   []byte
	json   bool
}

// split cuts a source into documents. A text that starts like JSON is cut
// between its values; if it is no JSON after all, it is YAML in flow style.
func split(source *Source) []document {
	text := bytes.TrimPrefix(source.Text, byteOrderMark)
	if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 && trimmed[0] == '{' {
		if documents, ok := splitJSON(source, text); ok {
			return documents
		}
	}
	return splitYAML(source, text)
}

func splitJSON(source *Source, text []byte) ([]document, bool) {
	var documents []document
	decoder := json.NewDecoder(bytes.NewReader(text))
	line, lineStart, counted := 0, 0, 0
	for decoder.More() && len(documents) < maxDocuments {
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, false
		}
		end := int(decoder.InputOffset())
		start := end - len(value)
		between := text[counted:start]
		line += bytes.Count(between, []byte("\n"))
		if last := bytes.LastIndexByte(between, '\n'); last >= 0 {
			lineStart = counted + last + 1
		}
		counted = start
		documents = append(documents, document{source: source, text: text[start:end], json: true, line: line, column: start - lineStart})
	}
	return documents, !decoder.More()
}

// splitYAML cuts at every line that starts with three dashes: at the start of a
// line they separate documents whatever surrounds them. The line belongs to the
// document after it, for it can hold its first value.
func splitYAML(source *Source, text []byte) []document {
	var documents []document
	start, startLine, line := 0, 0, 0
	for at := 0; at < len(text); line++ {
		if at > start && len(documents) < maxDocuments && isSeparator(text[at:]) {
			if d := (document{source: source, line: startLine, text: text[start:at]}); !d.isBlank() {
				documents = append(documents, d)
			}
			start, startLine = at, line
		}
		next := bytes.IndexByte(text[at:], '\n')
		if next < 0 {
			break
		}
		at += next + 1
	}
	return append(documents, document{source: source, line: startLine, text: text[start:]})
}

func isSeparator(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte("---"))
	return ok && (len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0)
}

// isBlank tells whether a document holds nothing but comments and separators,
// which the decoder need not see.
func (d document) isBlank() bool {
	for line := range bytes.Lines(d.text) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && !bytes.Equal(line, []byte("---")) && !bytes.Equal(line, []byte("...")) {
			return false
		}
	}
	return true
}

package lint

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// maxDocuments limits the documents of a text.
const maxDocuments = 100_000

// byteOrderMark is what some editors write at the start of a file.
var byteOrderMark = []byte("\xef\xbb\xbf")

// document is a part of a source: a YAML document or a JSON value.
type document struct {
	source *Source
	text   []byte
	json   bool
	// line and column are the number of lines and columns in the source before
	// text. column is set only if several JSON values are on one line.
	line, column int
	// lines is the source from the line where text starts.
	lines []byte
	// problem is set if there is no text to decode.
	problem *problem
}

// split splits a source into documents. It splits a text that starts like JSON
// between its values. If that fails, it treats the text as YAML in flow style.
func split(source *Source) []document {
	if source.TooLarge {
		return []document{{source: source, problem: limit(beginning, "the file has more than %d bytes, which is the limit", MaxFileBytes)}}
	}
	text := bytes.TrimPrefix(source.Text, byteOrderMark)
	documents, isJSON := []document(nil), false
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		documents, isJSON = splitJSON(source, text)
	}
	if !isJSON {
		documents = splitYAML(source, text)
	}
	if len(documents) > maxDocuments {
		last := &documents[maxDocuments]
		last.problem = limit(beginning, "the file has more than %d documents, which is the limit", maxDocuments)
		documents = documents[:maxDocuments+1]
	}
	return documents
}

func splitJSON(source *Source, text []byte) (documents []document, isJSON bool) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	line, lineStart, counted := 0, 0, 0
	for decoder.More() && len(documents) <= maxDocuments {
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
		documents = append(documents, document{source: source, text: text[start:end], json: true, line: line, column: start - lineStart, lines: text[lineStart:]})
	}
	return documents, true
}

// splitYAML splits before every line that starts with --- and after every line
// that starts with ..., which are markers in any context. The dashes belong to
// the document after them, because its first value can be on the same line.
func splitYAML(source *Source, text []byte) []document {
	var documents []document
	start, startLine, at, line := 0, 0, 0, 0
	cut := func() {
		if at > start {
			documents = append(documents, document{source: source, text: text[start:at], line: startLine, lines: text[start:]})
		}
		start, startLine = at, line
	}
	for written := range bytes.Lines(text) {
		if isMarker(written, "---") {
			cut()
		}
		at += len(written)
		line++
		if isMarker(written, "...") {
			cut()
		}
		if len(documents) > maxDocuments {
			return documents
		}
	}
	cut()
	return documents
}

func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0)
}

// problem is the reason why a document can't be decoded, and its place.
type problem struct {
	rule    *Rule
	message string
	node    *yaml.Node
}

func limit(node *yaml.Node, format string, args ...any) *problem {
	return &problem{ruleLimit, fmt.Sprintf(format, args...), node}
}

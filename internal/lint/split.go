package lint

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// maxDocuments bounds how many documents of a text are read.
const maxDocuments = 100_000

// byteOrderMark is at the start of files of some editors.
var byteOrderMark = []byte("\xef\xbb\xbf")

// document is a part of a source: a YAML document or a JSON value.
type document struct {
	source *Source
	text   []byte
	json   bool
	// line and column of the source before the first of text; a column only where
	// several JSON values are on one line.
	line, column int
	// lines is the source from the line on which text starts.
	lines []byte
	// problem is set where there is no text to decode.
	problem *problem
}

// split cuts a source into documents. A text that starts like JSON is cut
// between its values; if it is no JSON after all, it is YAML in flow style.
func split(source *Source) []document {
	if source.TooLarge {
		return []document{{source: source, problem: limit(beginning, "the file has more than the %d bytes that are read", MaxFileBytes)}}
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
		last.problem = limit(beginning, "the file has more than the %d documents that are read", maxDocuments)
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

// splitYAML cuts before every line of three dashes and after every line of three
// dots: at the start of a line they are markers whatever surrounds them. The
// dashes belong to the document after them, for its first value can follow them.
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

// problem is why a document can't be decoded, and where.
type problem struct {
	rule    *Rule
	message string
	node    *yaml.Node
}

func limit(node *yaml.Node, format string, args ...any) *problem {
	return &problem{ruleLimit, fmt.Sprintf(format, args...), node}
}

package lint

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// locate sets the places of a document's findings, and their lines. If a finding
// has no place yet, it decodes the document again: nodes need many times the memory
// of the text, so they are not kept.
func (r *result) locate(namespace string) {
	var items []item
	for i := range r.findings {
		found := &r.findings[i]
		if found.Line > 0 {
			continue
		}
		if items == nil {
			items = r.items(namespace)
		}
		found.Place = r.document.place(offending(items[found.item].node, found))
	}
	if len(r.findings) == 0 {
		return
	}
	lines := r.document.lineTexts(r.findings)
	for i := range r.findings {
		r.findings[i].Source = lines[r.findings[i].Line]
	}
}

// withoutField matches the field in the only message of the schema that has its
// field just there.
var withoutField = regexp.MustCompile(`must be of type \S+ with format \S+ in (\S+)$`)

// offending returns the node of a finding.
func offending(root *yaml.Node, found *Finding) *yaml.Node {
	path := found.Field
	if match := withoutField.FindStringSubmatch(found.Message); path == "" && match != nil {
		path = match[1]
	}
	if found.Rule == ruleUnknownField.ID {
		return find(root, path, true)
	}
	return quotedItem(find(root, path, false), found.Message)
}

// find returns the node of a value by its path, in the API server's notation:
// spec.list[2].name, spec.labels[example.com/key]. If the path does not exist, it
// returns the last key on the way, because something is missing there. With key
// it returns the key instead of the value.
func find(root *yaml.Node, path string, key bool) *yaml.Node {
	at, last := resolveAlias(root), root
	for path != "" {
		keyNode, child, rest := step(at, path)
		if child == nil {
			return last
		}
		if key && rest == "" && keyNode != nil {
			return keyNode
		}
		last = child
		if keyNode != nil && rest != "" && (child.Kind == yaml.MappingNode || child.Kind == yaml.SequenceNode) {
			last = keyNode
		}
		at, path = resolveAlias(child), rest
	}
	return last
}

// step follows the first element of a path: an index, or the longest matching
// key, since keys can contain dots. Of equal keys the last one counts; merged
// keys count less. keyNode is nil for an index.
func step(at *yaml.Node, path string) (keyNode, child *yaml.Node, rest string) {
	if at.Kind == yaml.SequenceNode {
		index, rest, ok := strings.Cut(strings.TrimPrefix(path, "["), "]")
		number, err := strconv.Atoi(index)
		if !ok || err != nil || number < 0 || number >= len(at.Content) {
			return nil, nil, ""
		}
		return nil, at.Content[number], strings.TrimPrefix(rest, ".")
	}
	longest := -1
	for i := 0; at.Kind == yaml.MappingNode && i+1 < len(at.Content); i += 2 {
		key, value := resolveAlias(at.Content[i]), at.Content[i+1]
		if isMerge(key) {
			if child == nil {
				keyNode, child, rest = step(resolveAlias(value), path)
			}
		} else if after, ok := cutKey(path, key.Value); ok && len(key.Value) >= longest {
			longest, keyNode, child, rest = len(key.Value), at.Content[i], value, after
		}
	}
	return keyNode, child, rest
}

// cutKey removes a key from the start of a path, written as name or as [name].
func cutKey(path, name string) (rest string, ok bool) {
	if rest, ok := strings.CutPrefix(path, "["+name+"]"); ok {
		return strings.TrimPrefix(rest, "."), true
	}
	rest, ok = strings.CutPrefix(path, name)
	if !ok || (rest != "" && rest[0] != '.' && rest[0] != '[') {
		return "", false
	}
	return strings.TrimPrefix(rest, "."), true
}

// quotedItem returns the list item that a message quotes, or the list.
func quotedItem(list *yaml.Node, message string) *yaml.Node {
	sequence := resolveAlias(list)
	if sequence.Kind != yaml.SequenceNode {
		return list
	}
	first, at := list, len(message)
	for _, item := range sequence.Content {
		if scalar := resolveAlias(item); scalar.Kind == yaml.ScalarNode {
			if found := strings.Index(message, strconv.Quote(scalar.Value)); found >= 0 && found < at {
				first, at = item, found
			}
		}
	}
	return first
}

// place returns the position of a node in the source of the document.
func (d document) place(node *yaml.Node) Place {
	place := Place{File: d.source.Name, Line: d.line + node.Line, Column: node.Column}
	if node.Line == 1 {
		place.Column += d.column
	}
	return place
}

// maxSourceBytes is the maximum length of a line in a finding.
const maxSourceBytes = 400

// lineTexts returns the lines of findings, by their numbers. It reads the text
// once, and leaves out what is too long to show.
func (d document) lineTexts(findings []Finding) map[int]string {
	texts, last := map[int]string{}, 0
	for _, found := range findings {
		texts[found.Line] = ""
		last = max(last, found.Line)
	}
	line := d.line
	for text := range bytes.Lines(d.lines) {
		if line++; line > last {
			break
		}
		text = bytes.TrimRight(text, "\r\n")
		if _, wanted := texts[line]; wanted && len(text) <= maxSourceBytes {
			texts[line] = strings.ToValidUTF8(string(text), "�")
		}
	}
	return texts
}

package lint

import (
	"bytes"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"
)

// find returns the node of a value by its path, as the API server writes paths:
// spec.list[2].name, spec.labels[example.com/key]. Where the path leads nowhere
// it returns the last key on the way, for that is where something is missing.
// With key it returns the key rather than the value.
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

// step follows the first part of a path. keyNode is nil for an index.
func step(at *yaml.Node, path string) (keyNode, child *yaml.Node, rest string) {
	switch at.Kind {
	case yaml.SequenceNode:
		index, rest, ok := strings.Cut(strings.TrimPrefix(path, "["), "]")
		number, err := strconv.Atoi(index)
		if !ok || err != nil || number < 0 || number >= len(at.Content) {
			return nil, nil, ""
		}
		return nil, at.Content[number], strings.TrimPrefix(rest, ".")
	case yaml.MappingNode:
		return stepKey(at, path, 0)
	default:
		return nil, nil, ""
	}
}

// stepKey finds the longest key that a path starts with: keys can have dots. The
// last of equal keys counts.
func stepKey(at *yaml.Node, path string, level int) (keyNode, child *yaml.Node, rest string) {
	longest := -1
	for i := 0; i+1 < len(at.Content); i += 2 {
		if isMerge(at.Content[i]) {
			continue
		}
		name, err := keyName(at.Content[i])
		if err != nil || len(name) < longest {
			continue
		}
		if after, ok := cutKey(path, name); ok {
			longest, keyNode, child, rest = len(name), at.Content[i], at.Content[i+1], after
		}
	}
	if child != nil || level > 3 {
		return keyNode, child, rest
	}
	for i := 0; i+1 < len(at.Content); i += 2 {
		if !isMerge(at.Content[i]) {
			continue
		}
		from := resolveAlias(at.Content[i+1])
		sources := []*yaml.Node{from}
		if from.Kind == yaml.SequenceNode {
			sources = from.Content
		}
		for _, source := range sources {
			if source = resolveAlias(source); source.Kind == yaml.MappingNode {
				if keyNode, child, rest = stepKey(source, path, level+1); child != nil {
					return keyNode, child, rest
				}
			}
		}
	}
	return nil, nil, ""
}

// cutKey cuts a key from the start of a path, written as name or as [name].
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

// quotedItem returns the item of a list that a message quotes, or the list.
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

// maxRecent is how many documents a locator keeps decoded.
const maxRecent = 4

// locator finds the places of fields in documents whose nodes are not kept.
type locator struct{ recent []decoded }

type decoded struct {
	document document
	values   []value
}

// place returns the place of a field of an object; of an item of its list where
// the message quotes one.
func (l *locator) place(i item, path, message string) Place {
	values := l.values(i.document)
	if i.index >= len(values) {
		return i.document.placeAt(1, 1)
	}
	root := values[i.index].node
	if i.path != "" {
		root = find(root, i.path, false)
	}
	return i.document.place(offending(root, path, message, false))
}

func (l *locator) values(d document) []value {
	for _, known := range l.recent {
		if known.document.source == d.source && known.document.line == d.line && known.document.column == d.column {
			return known.values
		}
	}
	values, _ := d.decode()
	if len(l.recent) == maxRecent {
		l.recent = l.recent[1:]
	}
	l.recent = append(l.recent, decoded{d, values})
	return values
}

// place is the position of a node in the source of a document.
func (d document) place(node *yaml.Node) Place { return d.placeAt(node.Line, node.Column) }

func (d document) placeAt(line, column int) Place {
	if line == 1 && column > 0 {
		column += d.column
	}
	place := Place{File: d.source.Name, Line: d.line + max(line, 1), Column: max(column, 1)}
	place.Source = d.lineText(max(line, 1))
	return place
}

// maxSourceBytes is the longest line that findings carry.
const maxSourceBytes = 400

// lineText returns the text of a line, or "" where it is too long to be shown.
func (d document) lineText(line int) string {
	rest := d.text
	for at := 1; at < line; at++ {
		next := bytes.IndexByte(rest, '\n')
		if next < 0 {
			return ""
		}
		rest = rest[next+1:]
	}
	if end := bytes.IndexByte(rest, '\n'); end >= 0 {
		rest = rest[:end]
	}
	indent := 0
	if line == 1 {
		indent = d.column
	}
	if len(rest)+indent > maxSourceBytes {
		return ""
	}
	return strings.Repeat(" ", indent) + strings.ToValidUTF8(string(bytes.TrimRight(rest, "\r")), "�")
}

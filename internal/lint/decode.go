package lint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"
	kjson "sigs.k8s.io/json"
)

// Bounds of what is decoded. The API server takes 3 MiB at most in a request.
const (
	maxDocumentBytes = 4 << 20
	// maxDepth bounds how deep values lie in one another.
	maxDepth = 200
	// maxAliased bounds how many values the aliases of a document stand for.
	maxAliased = 100_000
)

// value is what a document holds: as nodes, and as the API server would read it.
type value struct {
	node  *yaml.Node
	value any
	// duplicates are the paths of keys that a mapping has twice, with the nodes of
	// the second.
	duplicates []duplicate
}

type duplicate struct {
	path string
	node *yaml.Node
}

// problem is why a document, or the rest of it, can't be decoded.
type problem struct {
	rule, message string
	line, column  int
}

func (p *problem) Error() string { return p.message }

// decode returns the values of a document; more than one only where three dots
// end a YAML document. What it decoded before a problem it returns too.
func (d document) decode() ([]value, *problem) {
	if len(d.text) > maxDocumentBytes {
		return nil, &problem{rule: ruleLimit, message: fmt.Sprintf("the document has %d bytes, of which %d are allowed", len(d.text), maxDocumentBytes), line: 1}
	}
	if d.json {
		return d.decodeJSON()
	}
	return d.decodeYAML()
}

func (d document) decodeYAML() ([]value, *problem) {
	var values []value
	decoder := yaml.NewDecoder(bytes.NewReader(d.text))
	for {
		node := &yaml.Node{}
		err := decoder.Decode(node)
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			return values, syntaxProblem(err)
		}
		if node.Kind == yaml.DocumentNode {
			node = node.Content[0]
		}
		builder := builder{}
		built, err := builder.build(node, 0)
		if err != nil {
			var found *problem
			if !errors.As(err, &found) {
				found = &problem{rule: ruleSyntax, message: err.Error(), line: node.Line}
			}
			return values, found
		}
		values = append(values, value{node: node, value: built, duplicates: builder.duplicates})
	}
}

// decodeJSON reads the values as the API server does and takes only the
// positions from YAML, of which JSON is a part but for details.
func (d document) decodeJSON() ([]value, *problem) {
	var read any
	strict, err := kjson.UnmarshalStrict(d.text, &read)
	if err != nil {
		return nil, &problem{rule: ruleSyntax, message: err.Error(), line: 1}
	}
	if depth(read, 0) > maxDepth {
		return nil, tooDeep(&yaml.Node{Line: 1})
	}
	found := value{value: read, node: &yaml.Node{Kind: yaml.MappingNode, Line: 1, Column: 1}}
	var root yaml.Node
	if err := yaml.Unmarshal(d.text, &root); err == nil && root.Kind == yaml.DocumentNode {
		found.node = root.Content[0]
	}
	for _, err := range strict {
		var fieldError kjson.FieldError
		if errors.As(err, &fieldError) {
			path := fieldError.FieldPath()
			found.duplicates = append(found.duplicates, duplicate{path: path, node: find(found.node, path, true)})
		}
	}
	return []value{found}, nil
}

func depth(v any, above int) int {
	deepest := above
	if above > maxDepth {
		return above
	}
	switch v := v.(type) {
	case map[string]any:
		for _, child := range v {
			deepest = max(deepest, depth(child, above+1))
		}
	case []any:
		for _, child := range v {
			deepest = max(deepest, depth(child, above+1))
		}
	}
	return deepest
}

var lineOfError = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntaxProblem takes the line from an error of the YAML decoder.
func syntaxProblem(err error) *problem {
	found := &problem{rule: ruleSyntax, message: err.Error(), line: 1}
	if match := lineOfError.FindStringSubmatch(err.Error()); match != nil {
		found.message = strings.TrimPrefix(err.Error(), match[0])
		if line, err := strconv.Atoi(match[1]); err == nil {
			found.line = line
		}
	}
	return found
}

func tooDeep(node *yaml.Node) *problem {
	return &problem{rule: ruleLimit, message: fmt.Sprintf("values lie more than %d deep in one another", maxDepth), line: node.Line, column: node.Column}
}

// builder turns nodes into values.
type builder struct {
	path       []string
	duplicates []duplicate
	// within counts the aliases around the current node, aliased the values that
	// aliases stand for.
	within, aliased int
}

func (b *builder) build(node *yaml.Node, level int) (any, error) {
	if level > maxDepth {
		return nil, tooDeep(node)
	}
	if b.within > 0 {
		if b.aliased++; b.aliased > maxAliased {
			return nil, &problem{rule: ruleLimit, message: fmt.Sprintf("aliases stand for more than %d values", maxAliased), line: node.Line, column: node.Column}
		}
	}
	switch node.Kind {
	case yaml.AliasNode:
		b.within++
		defer func() { b.within-- }()
		// An alias within its own anchor ends at maxDepth.
		return b.build(node.Alias, level+1)
	case yaml.SequenceNode:
		list := make([]any, len(node.Content))
		for i, item := range node.Content {
			b.push("[" + strconv.Itoa(i) + "]")
			built, err := b.build(item, level+1)
			if err != nil {
				return nil, err
			}
			b.pop()
			list[i] = built
		}
		return list, nil
	case yaml.MappingNode:
		return b.mapping(node, level)
	default:
		built, err := scalar(node)
		if err != nil {
			return nil, &problem{rule: ruleSyntax, message: err.Error(), line: node.Line, column: node.Column}
		}
		return built, nil
	}
}

func (b *builder) mapping(node *yaml.Node, level int) (any, error) {
	mapping := make(map[string]any, len(node.Content)/2)
	merged := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, child := node.Content[i], node.Content[i+1]
		if isMerge(key) {
			if err := b.merge(mapping, merged, child, level); err != nil {
				return nil, err
			}
			continue
		}
		name, err := keyName(key)
		if err != nil {
			return nil, &problem{rule: ruleSyntax, message: err.Error(), line: key.Line, column: key.Column}
		}
		b.push(name)
		if _, exists := mapping[name]; exists && b.within == 0 && !merged[name] && len(b.duplicates) <= maxFindings {
			b.duplicates = append(b.duplicates, duplicate{path: joinPath(b.path), node: key})
		}
		built, err := b.build(child, level+1)
		if err != nil {
			return nil, err
		}
		b.pop()
		mapping[name] = built
		delete(merged, name)
	}
	return mapping, nil
}

// merge adds the entries of what a merge key names, and notes their names. It
// happens where the key stands, as in kubectl: what comes later wins, and of
// several mappings the first.
func (b *builder) merge(mapping map[string]any, merged map[string]bool, from *yaml.Node, level int) error {
	if from.Kind == yaml.SequenceNode {
		for i := range from.Content {
			item := from.Content[len(from.Content)-1-i]
			if resolveAlias(item).Kind != yaml.MappingNode {
				return mergeProblem(item)
			}
			if err := b.merge(mapping, merged, item, level+1); err != nil {
				return err
			}
		}
		return nil
	}
	if resolveAlias(from).Kind != yaml.MappingNode {
		return mergeProblem(from)
	}
	built, err := b.build(from, level+1)
	if err != nil {
		return err
	}
	for name, child := range built.(map[string]any) {
		mapping[name], merged[name] = child, true
	}
	return nil
}

func mergeProblem(node *yaml.Node) *problem {
	return &problem{rule: ruleSyntax, message: "a merge key (<<) needs a mapping or a list of mappings", line: node.Line, column: node.Column}
}

func (b *builder) push(part string) { b.path = append(b.path, part) }
func (b *builder) pop()             { b.path = b.path[:len(b.path)-1] }

func joinPath(parts []string) string {
	var path strings.Builder
	for i, part := range parts {
		if i > 0 && !strings.HasPrefix(part, "[") {
			path.WriteByte('.')
		}
		path.WriteString(part)
	}
	return path.String()
}

func isMerge(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Value == "<<" && (key.Tag == "" || key.ShortTag() == "!!merge")
}

func resolveAlias(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// keyName is a key as JSON has it.
func keyName(key *yaml.Node) (string, error) {
	key = resolveAlias(key)
	if key.Kind != yaml.ScalarNode {
		return "", errors.New("a key must be a scalar")
	}
	name, err := scalar(key)
	if err != nil {
		return "", err
	}
	switch name := name.(type) {
	case string:
		return name, nil
	case bool:
		return strconv.FormatBool(name), nil
	case int64:
		return strconv.FormatInt(name, 10), nil
	case float64:
		return strconv.FormatFloat(name, 'g', -1, 32), nil
	default:
		return "", errors.New("a key must not be null")
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// installed are the files from which `make dist` and the chart make what users install.
var installed = []string{"config/guard", "config/standalone", "config/monitoring/*.yaml", "charts/scopegate/values.yaml"}

// manifestSuites may find a changed manifest, in this order.
var manifestSuites = []suite{
	{"", ".", "./test/release/packaging -run ^TestInstalled$"},
	{"config/guard/", ".", "./internal/guard/..."},
	{"", ".", "./test/release/packaging -run ^Test(Settings|ChartSaysTheSame|PodSecurity|DistFiles|Values)$"},
	{"config/monitoring/", ".", "./test/release/monitoring"},
	{"config/guard/policies/", ".", "./test/guard"},
	{"config/guard/start-up/", ".", "./test/guard"},
	{"config/guard/canary/", ".", "./test/guard/sabotage"},
	{"config/guard/", ".", "./test/manager/leastprivilege -run Guard"},
	{"config/", ".", "./test/manager/leastprivilege -run Standalone"},
	{"config/guard/", "compat", "./manager"},
	{"", ".", "./test/release/packaging"},
}

// change is one change of one leaf of a manifest.
type change struct {
	file, name string
	// apply changes the documents of the file.
	apply func()
}

// changeLeaves changes a leaf of what users install at a time, in a copy of the
// repository, and prints which suite finds it. It tries at most a number of changes,
// chosen at random, and fails if one was not found. It leaves out those that make no
// difference.
func changeLeaves(ctx context.Context, root string, only *regexp.Regexp, most int, seed uint64) error {
	harmless, err := readHarmless("test/mutation/harmless.txt")
	if err != nil {
		return err
	}
	changes, err := leafChanges(root)
	if err != nil {
		return err
	}
	changes = slices.DeleteFunc(changes, func(c change) bool { return !only.MatchString(c.name) || harmless.MatchString(c.name) })
	all := len(changes)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // Which are tried need not be a secret.
	random.Shuffle(all, func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
	changes = changes[:min(most, all)]
	fmt.Printf("%d of %d changes\n", len(changes), all)
	return tryAll(ctx, len(changes), func(i int) (name, by string, err error) {
		by, err = changes[i].hunt(ctx, root)
		return changes[i].name, by, err
	})
}

// readHarmless reads a file with an expression for the names of changes in each line, and
// the reason why they make no difference in the comment before it.
func readHarmless(path string) (*regexp.Regexp, error) {
	text, err := os.ReadFile(path) //nolint:gosec // Part of the repository.
	if err != nil {
		return nil, err
	}
	var expressions []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			expressions = append(expressions, line)
		}
	}
	return regexp.Compile(strings.Join(expressions, "|"))
}

// leafChanges returns every change of the installed files in a folder.
func leafChanges(root string) (changes []change, err error) {
	for _, pattern := range installed {
		matches, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, match := range matches {
			err := filepath.WalkDir(match, func(path string, _ os.DirEntry, err error) error {
				// `make verify` generates the roles again, and fails if they differ.
				if err != nil || filepath.Ext(path) != ".yaml" || filepath.Base(path) == "role.yaml" {
					return err
				}
				file, err := filepath.Rel(root, path)
				if err != nil {
					return err
				}
				documents, err := parse(path)
				if err != nil {
					return fmt.Errorf("%s: %w", file, err)
				}
				for _, c := range changesOf(documents) {
					changes = append(changes, change{file: file, name: file + " " + c.name})
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return changes, nil
}

// hunt returns what finds a change, or "".
func (c change) hunt(ctx context.Context, root string) (by string, err error) {
	path := filepath.Join(root, c.file)
	original, err := os.ReadFile(path) //nolint:gosec // In a copy of the repository.
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.WriteFile(path, original, 0o600)) }()
	documents, err := parse(path)
	if err != nil {
		return "", err
	}
	for _, candidate := range changesOf(documents) {
		if c.name == c.file+" "+candidate.name {
			candidate.apply()
		}
	}
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	for _, document := range documents {
		if err := encoder.Encode(document); err != nil {
			return "", err
		}
	}
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		return "", err
	}
	for _, s := range manifestSuites {
		if strings.HasPrefix(c.file, s.prefix) {
			if by, err := s.run(ctx, root); by != "" || err != nil {
				return by, err
			}
		}
	}
	return "", nil
}

// parse reads the documents of a file.
func parse(path string) (documents []*yaml.Node, err error) {
	text, err := os.ReadFile(path) //nolint:gosec // In a copy of the repository.
	if err != nil {
		return nil, err
	}
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		document := &yaml.Node{}
		if err := decoder.Decode(document); errors.Is(err, io.EOF) {
			return documents, nil
		} else if err != nil {
			return nil, err
		}
		documents = append(documents, document)
	}
}

// changesOf returns the changes of documents: each leaf is deleted, and has another value
// of its type, and each list of leaves gets one more.
func changesOf(documents []*yaml.Node) (changes []change) {
	for i, document := range documents {
		walkNode(document.Content[0], strconv.Itoa(i), func() { document.Content[0] = &yaml.Node{Kind: yaml.MappingNode} }, &changes)
	}
	return changes
}

func walkNode(node *yaml.Node, path string, remove func(), changes *[]change) {
	add := func(what string, apply func()) {
		*changes = append(*changes, change{name: path + " " + what, apply: apply})
	}
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i < len(node.Content); i += 2 {
			walkNode(node.Content[i+1], path+"."+node.Content[i].Value, func() { node.Content = slices.Delete(node.Content, i, i+2) }, changes)
		}
	case yaml.SequenceNode:
		for i, item := range node.Content {
			walkNode(item, fmt.Sprintf("%s[%d]", path, i), func() { node.Content = slices.Delete(node.Content, i, i+1) }, changes)
		}
		if len(node.Content) > 0 && node.Content[0].Kind == yaml.ScalarNode {
			add("one more", func() {
				node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: node.Content[0].Value + "x"})
			})
		}
	case yaml.ScalarNode:
		add("deleted", remove)
		add("changed", func() { node.Value = otherValue(node) })
	}
}

// otherValue returns another value of a leaf's type. An expression stays one.
func otherValue(leaf *yaml.Node) string {
	switch leaf.Tag {
	case "!!bool":
		return strconv.FormatBool(leaf.Value != "true")
	case "!!int":
		return leaf.Value + "1"
	}
	if strings.Contains(leaf.Value, "\n") || strings.Contains(leaf.Value, "'") {
		return "[" + leaf.Value + "][0] == null"
	}
	return leaf.Value + "x"
}

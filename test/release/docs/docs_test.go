// Package docs_test checks that what the documentation points to exists: files,
// headings, and targets of make.
package docs_test

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

const root = "../../.."

// hosted is the start of a link to this repository's own files.
const hosted = "https://github.com/scopegate/scopegate/blob/main/"

var (
	link       = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	code       = regexp.MustCompile("`[^`]*`")
	heading    = regexp.MustCompile(`^#{1,6} +(.*?) *#*$`)
	anchor     = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
	slugStrip  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	makeTarget = regexp.MustCompile(`^([a-z][a-z0-9-]*):`)
	makeWord   = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
)

func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	command := exec.CommandContext(t.Context(), "git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md")
	command.Dir = root
	for name := range strings.FieldsSeq(expect.Output(t, command)) {
		found[name] = expect.ReadFile(t, filepath.Join(root, name))
	}
	return found
}

// prose splits a page into its text and its blocks of code.
func prose(page string) (text, blocks []string) {
	fence := ""
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		trimmed := strings.TrimSpace(line)
		switch {
		case fence == "" && (strings.HasPrefix(trimmed, "```") || strings.HasPrefix(trimmed, "~~~")):
			fence = trimmed[:3]
		case fence != "" && strings.HasPrefix(trimmed, fence):
			fence = ""
		case fence != "":
			blocks = append(blocks, line)
		default:
			text = append(text, line)
		}
	}
	return text, blocks
}

func anchors(page string) map[string]bool {
	found := map[string]bool{}
	text, _ := prose(page)
	for _, line := range text {
		for _, match := range anchor.FindAllStringSubmatch(line, -1) {
			found[match[1]] = true
		}
		match := heading.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		// The text of a link counts, its address does not.
		title := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(match[1], "$1")
		slug := strings.ReplaceAll(slugStrip.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
		unique := slug
		for i := 1; found[unique]; i++ {
			unique = fmt.Sprintf("%s-%d", slug, i)
		}
		found[unique] = true
	}
	return found
}

// follow returns why a link leads nowhere, or "".
func follow(pages map[string]string, from, to string) string {
	if own, ok := strings.CutPrefix(to, hosted); ok {
		from, to = "README.md", own
	}
	address, err := url.Parse(to)
	if err != nil {
		return err.Error()
	}
	if address.Scheme != "" {
		return ""
	}
	target := from
	if address.Path != "" {
		target = path.Join(path.Dir(from), address.Path)
		if _, err := os.Stat(filepath.Join(root, target)); err != nil {
			return "no such file"
		}
	}
	if address.Fragment == "" || path.Ext(target) != ".md" {
		return ""
	}
	if !anchors(pages[target])[address.Fragment] {
		return fmt.Sprintf("%s has no such heading", target)
	}
	return ""
}

func TestLinks(t *testing.T) {
	pages := pages(t)
	if len(pages) < 10 {
		t.Errorf("only %d pages", len(pages))
	}
	for name, page := range pages {
		text, _ := prose(page)
		for _, line := range text {
			for _, match := range link.FindAllStringSubmatch(code.ReplaceAllString(line, ""), -1) {
				if problem := follow(pages, name, match[1]); problem != "" {
					t.Errorf("%s: %s: %s", name, match[1], problem)
				}
			}
		}
	}
}

// makeTargets returns the targets that the code of a page names.
func makeTargets(page string) []string {
	var targets []string
	text, commands := prose(page)
	for _, line := range text {
		for _, span := range code.FindAllString(line, -1) {
			commands = append(commands, strings.Trim(span, "`"))
		}
	}
	for _, command := range commands {
		for part := range strings.FieldsFuncSeq(command, func(r rune) bool { return strings.ContainsRune("$()|;&\"", r) }) {
			words := strings.Fields(part)
			if len(words) == 0 || words[0] != "make" {
				continue
			}
			for _, word := range words[1:] {
				if !makeWord.MatchString(word) {
					break
				}
				targets = append(targets, word)
			}
		}
	}
	return targets
}

func makefile(t *testing.T) map[string]bool {
	t.Helper()
	text := expect.ReadFile(t, filepath.Join(root, "Makefile"))
	targets := map[string]bool{}
	for line := range strings.Lines(text) {
		if match := makeTarget.FindStringSubmatch(line); match != nil {
			targets[match[1]] = true
		}
	}
	return targets
}

// TestMakeTargets checks that the Makefile has each target that a page names.
func TestMakeTargets(t *testing.T) {
	targets, named := makefile(t), 0
	for name, page := range pages(t) {
		for _, target := range makeTargets(page) {
			named++
			if !targets[target] {
				t.Errorf("%s: the Makefile has no target %q", name, target)
			}
		}
	}
	if named == 0 {
		t.Error("no page names a target")
	}
}

var (
	step = regexp.MustCompile(`(?m)^ +(?:- )?run: (.*)$`)
	// makeStep matches a step that runs a target, by its name or by a variable
	// of the matrix.
	makeStep     = regexp.MustCompile(`^make (\$\{\{ matrix\.target \}\}|[a-z0-9-]+)( [A-Z]+=\S+| [A-Z]+=\$\{\{ \S+ \}\})*$`)
	matrixTarget = regexp.MustCompile(`\{target: ([a-z0-9-]+)`)
)

// TestWorkflows checks that each step of the workflows runs a target of the
// Makefile, so that it also runs elsewhere.
func TestWorkflows(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no workflows: %v", err)
	}
	targets := makefile(t)
	for _, file := range files {
		text := expect.ReadFile(t, file)
		named := matrixTarget.FindAllStringSubmatch(text, -1)
		for _, run := range step.FindAllStringSubmatch(text, -1) {
			match := makeStep.FindStringSubmatch(run[1])
			switch {
			case match == nil:
				t.Errorf("%s: %q is no target of make", filepath.Base(file), run[1])
			case match[1][0] != '$':
				named = append(named, match)
			}
		}
		for _, match := range named {
			if !targets[match[1]] {
				t.Errorf("%s: the Makefile has no target %q", filepath.Base(file), match[1])
			}
		}
	}
}

package lint_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/lint"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// bad has a finding at line 7, column 3.
const bad = `apiVersion: toolhive.stacklok.dev/v1beta1
kind: MCPServer
metadata:
  name: a
spec:
  image: example.com/a:1
  imagee: x
`

const badJSON = `{"apiVersion": "toolhive.stacklok.dev/v1beta1", "kind": "MCPServer", "metadata": {"name": "a"}, "spec": {"image": "i", "imagee": 1}}`

func item(text string) string {
	return "- " + strings.TrimSuffix(strings.ReplaceAll(text, "\n", "\n  "), "  ")
}

func lintText(t *testing.T, text string) []string {
	t.Helper()
	return places(lintOne(t, text, lint.Options{}))
}

func places(found lint.Report) []string {
	var places []string
	for _, finding := range found.Findings {
		places = append(places, fmt.Sprintf("%s:%d:%d %s", finding.File, finding.Line, finding.Column, finding.Rule))
	}
	return places
}

func TestInputForms(t *testing.T) {
	unknown := func(line, column int) string { return fmt.Sprintf("f:%d:%d schema/unknown-field", line, column) }
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"plain":           {bad, []string{unknown(7, 3)}},
		"empty":           {"", []string{"f:1:1 input/nothing-validated"}},
		"comments alone":  {"# nothing\n---\n# more\n", []string{"f:1:1 input/nothing-validated"}},
		"byte order mark": {"\ufeff" + bad, []string{unknown(7, 3)}},
		"byte order mark, JSON with an escape that YAML lacks": {"\ufeff" + strings.Replace(badJSON, `"i"`, `"\ud83d\ude00"`, 1), []string{unknown(1, 1)}},
		"CRLF":                  {strings.ReplaceAll(bad, "\n", "\r\n"), []string{unknown(7, 3)}},
		"after a separator":     {"---\n" + bad, []string{unknown(8, 3)}},
		"separator with note":   {"# note\n--- # note\n" + bad, []string{unknown(9, 3)}},
		"two documents":         {bad + "---\n" + strings.Replace(bad, "name: a", "name: b", 1), []string{unknown(7, 3), unknown(15, 3)}},
		"empty documents":       {"---\n---\n\n---\n" + bad + "---\n", []string{unknown(11, 3)}},
		"end of a document":     {bad + "...\n", []string{unknown(7, 3)}},
		"other kinds":           {"apiVersion: v1\nkind: Secret\n---\n" + bad, []string{unknown(10, 3)}},
		"values of a chart":     {"- a\n- b\n---\njust: text\n---\nword\n---\n" + bad, []string{"f:1:1 parse/not-an-object", "f:6:1 parse/not-an-object", unknown(14, 3)}},
		"List":                  {"apiVersion: v1\nkind: List\nitems:\n" + item(bad), []string{unknown(10, 5)}},
		"List of two":           {"kind: List\nitems:\n" + item(strings.Replace(bad, "  imagee: x\n", "", 1)) + item(strings.Replace(bad, "name: a", "name: b", 1)), []string{unknown(15, 5)}},
		"typed list":            {"apiVersion: toolhive.stacklok.dev/v1beta1\nkind: MCPServerList\nitems:\n- metadata: {name: a}\n  spec:\n    imagee: b\n", []string{"f:4:3 schema/not-checked", "f:5:3 schema/required", unknown(6, 5)}},
		"another kind of list":  {"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n" + item(bad), []string{unknown(10, 5)}},
		"JSON":                  {badJSON, []string{unknown(1, 120)}},
		"JSON, a value a line":  {"\n" + badJSON + "\n" + strings.Replace(badJSON, `"a"`, `"b"`, 1) + "\n", []string{unknown(2, 120), unknown(3, 120)}},
		"JSON, values in a row": {badJSON + " " + strings.Replace(badJSON, `"a"`, `"b"`, 1), []string{unknown(1, 120), unknown(1, 253)}},
		"JSON, then more":       {badJSON + "\nb\n---\n" + bad, []string{"f:1:1 parse/syntax", unknown(10, 3)}},
		"JSON, a key twice":     {strings.Replace(badJSON, `"imagee"`, `"image"`, 1), []string{"f:1:1 schema/not-checked", "f:1:120 schema/duplicate-field", "f:1:129 schema/type"}},
		"flow style":            {strings.ReplaceAll(badJSON, `"apiVersion"`, "apiVersion"), []string{unknown(1, 118)}},
		"broken, then sound": {"a: [\n---\n" + bad + "---\nb: c: d\n---\n" + strings.Replace(bad, "name: a", "name: b", 1),
			[]string{"f:1:1 parse/syntax", unknown(9, 3), "f:11:1 parse/syntax", unknown(19, 3)}},
		"a key twice":      {bad + "  image: b\n", []string{unknown(7, 3), "f:8:3 schema/duplicate-field"}},
		"anchors":          {strings.Replace(bad, "imagee: x", "imagee: &x {a: b}\n  labels: *x", 1), []string{unknown(7, 3), unknown(8, 3)}},
		"merge key":        {strings.Replace(bad, "  imagee: x", "  <<: {imagee: x}", 1), []string{unknown(7, 8)}},
		"version":          {strings.Replace(bad, "v1beta1", "v1", 1), []string{"f:1:13 schema/unknown-version"}},
		"deprecated":       {strings.Replace(bad, "v1beta1", "v1alpha1", 1), []string{"f:1:13 schema/deprecated-version", unknown(7, 3)}},
		"misspelt kind":    {strings.Replace(bad, "MCPServer", "MCPSever", 1), []string{"f:2:7 schema/unknown-kind"}},
		"ToolHive's other": {strings.Replace(bad, "MCPServer", "MCPGroup", 1), []string{"f:1:1 input/nothing-validated"}},
		"the same twice":   {bad + "---\n" + bad, []string{unknown(7, 3), "f:12:9 object/duplicate", unknown(15, 3)}},
		"alias bomb": {"a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
			"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n---\n" + bad,
			[]string{"f:1:12 parse/limit", unknown(14, 3)}},
		"alias of itself":                       {"a: &a [*a]\n---\n" + bad, []string{"f:1:4 parse/limit", unknown(9, 3)}},
		"deep":                                  {strings.Repeat("[", 300) + strings.Repeat("]", 300) + "\n---\n" + bad, []string{"f:1:202 parse/limit", unknown(9, 3)}},
		"many values":                           {"[" + strings.Repeat("a,", 1_000_001) + "]\n---\n" + bad, []string{"f:1:2000000 parse/limit", unknown(9, 3)}},
		"deep JSON":                             {`{"a":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + "}", []string{"f:1:206 parse/limit"}},
		"too large":                             {"a: " + strings.Repeat("x", 5<<20) + "\n---\n" + bad, []string{"f:1:1 parse/limit", unknown(9, 3)}},
		"bad metadata":                          {strings.Replace(bad, "name: a", "name: a\n  labels: {x: 1}", 1), []string{"f:4:3 schema/metadata"}},
		"no metadata":                           {strings.Replace(bad, "\n  name: a", "", 1), []string{"f:1:1 schema/not-checked", "f:3:10 schema/metadata", unknown(6, 3)}},
		"generateName":                          {strings.Replace(bad, "name: a", "generateName: a-", 1), []string{unknown(7, 3)}},
		"a field that only the message has":     {strings.Replace(bad, "imagee: x", "proxyPort: 99999999999", 1), []string{"f:7:14 schema/invalid", "f:7:14 schema/invalid"}},
		"two merge keys":                        {strings.Replace(bad, "  imagee: x", "  <<: {imagee: x}\n  <<: {proxyPort: 80}", 1), []string{unknown(7, 8)}},
		"a key twice below an alias":            {strings.Replace(bad, "imagee: x", "podTemplateSpec: &x {a: b, a: c}\n  resources: *x", 1), []string{"f:7:30 schema/duplicate-field"}},
		"infinite":                              {strings.Replace(bad, "imagee: x", "proxyPort: .inf", 1), []string{"f:1:1 parse/syntax"}},
		"after three dots":                      {bad + "...\n# note\n" + strings.Replace(bad, "name: a", "name: b", 1), []string{unknown(7, 3), unknown(16, 3)}},
		"template":                              {"# note\n" + strings.Replace(bad, "example.com/a:1", "{{ .Values.image }}", 1) + "---\n" + bad, []string{"f:7:11 parse/syntax", unknown(16, 3)}},
		"key of null":                           {bad + "  ~: a\n", []string{"f:8:3 parse/syntax"}},
		"wrong tag":                             {strings.Replace(bad, "imagee: x", "proxyPort: !!int x", 1), []string{"f:1:1 parse/syntax"}},
		"a key thrice":                          {bad + "  image: b\n  image: c\n", []string{unknown(7, 3), "f:8:3 schema/duplicate-field", "f:9:3 schema/duplicate-field"}},
		"a key twice, of which one is merged":   {strings.Replace(bad, "  imagee: x", "  <<: {image: x}", 1), nil},
		"a key twice in a List":                 {"kind: List\nitems:\n" + item(strings.Replace(bad, "imagee: x", "image: x", 1)), []string{"f:9:5 schema/duplicate-field"}},
		"JSON, a key twice in a List":           {`{"kind": "List", "items": [` + strings.Replace(badJSON, `"imagee": 1`, `"image": "x"`, 1) + `]}`, []string{"f:1:147 schema/duplicate-field"}},
		"JSON, a key that is too long for YAML": {strings.Replace(badJSON, `"imagee": 1`, `"image": "x", "`+strings.Repeat("k", 2000)+`": 1`, 1), []string{"f:1:1 schema/duplicate-field", unknown(1, 1)}},
		"alias of a long text":                  {"a: &a " + strings.Repeat("x", 1<<20) + "\nb: [*a, *a, *a, *a, *a]\n---\n" + bad, []string{"f:1:4 parse/limit", unknown(10, 3)}},
		"alias of a long key":                   {"a: &a {" + strings.Repeat("x", 1000) + ": y}\nb: [" + strings.Repeat("*a,", 4500) + "]\n---\n" + bad, []string{"f:1:8 parse/limit", unknown(10, 3)}},
		"alias as a long key":                   {"a: &a " + strings.Repeat("x", 1<<20) + "\nb: [" + strings.Repeat("{*a : y}, ", 5) + "]\n---\n" + bad, []string{"f:1:4 parse/limit", unknown(10, 3)}},
	} {
		t.Run(name, func(t *testing.T) {
			expect.Equal(t, "findings in "+c.text[:min(len(c.text), 1000)], c.want, lintText(t, c.text))
		})
	}
}

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		file := filepath.Join(folder, name)
		expect.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
		var err error
		if target, isLink := strings.CutPrefix(text, "->"); isLink {
			err = os.Symlink(target, file)
		} else {
			err = os.WriteFile(file, []byte(text), 0o600)
		}
		expect.NoError(t, err)
	}
	return folder
}

// TestRead checks which files of a folder are read, and that no link leads out of
// it.
func TestRead(t *testing.T) {
	outside := tree(t, map[string]string{"secret.yaml": "outside"})
	folder := tree(t, map[string]string{
		"b.yaml": "b", "a.yml": "a", "c.JSON": "c", "readme.md": "no", "below/d.yaml": "d",
		"inside.yaml": "->below/d.yaml", "outside.yaml": "->" + filepath.Join(outside, "secret.yaml"),
		"up.yaml": "->../" + filepath.Base(outside) + "/secret.yaml", "folder": "->" + outside, "dangling.yaml": "->nowhere", "loop.yaml": "->loop.yaml",
	})
	for name, c := range map[string]struct {
		paths     []string
		recursive bool
		want      []string
	}{
		"a folder":          {[]string{folder}, false, []string{"a.yml=a", "b.yaml=b", "c.JSON=c", "inside.yaml=d"}},
		"with all below":    {[]string{folder}, true, []string{"a.yml=a", "b.yaml=b", "below/d.yaml=d", "c.JSON=c", "inside.yaml=d"}},
		"a file":            {[]string{filepath.Join(folder, "readme.md")}, false, []string{"readme.md=no"}},
		"it and its folder": {[]string{filepath.Join(folder, "b.yaml"), folder}, false, []string{"b.yaml=b", "a.yml=a", "c.JSON=c", "inside.yaml=d"}},
		"a file twice":      {[]string{filepath.Join(folder, "b.yaml"), folder + "/./b.yaml"}, false, []string{"b.yaml=b"}},
		"a link by name":    {[]string{filepath.Join(folder, "outside.yaml")}, false, []string{"outside.yaml=outside"}},
		"standard input":    {[]string{"-", filepath.Join(folder, "b.yaml")}, false, []string{"<stdin>=in", "b.yaml=b"}},
	} {
		t.Run(name, func(t *testing.T) {
			sources, err := lint.Read(c.paths, c.recursive, strings.NewReader("in"))
			expect.NoError(t, err)
			var got []string
			for _, source := range sources {
				got = append(got, strings.TrimPrefix(source.Name, folder+"/")+"="+string(source.Text))
			}
			expect.Equal(t, "sources", c.want, got)
		})
	}
	if _, err := lint.Read([]string{filepath.Join(folder, "missing.yaml")}, false, nil); err == nil {
		t.Error("a file that does not exist must be an error")
	}
	large := filepath.Join(folder, "b.yaml")
	expect.NoError(t, os.Truncate(large, lint.MaxFileBytes+1))
	sources, err := lint.Read([]string{large}, false, nil)
	expect.NoError(t, err)
	expect.Equal(t, "too large", true, sources[0].TooLarge)
}

// TestHostileSizes checks the limit on findings of one document, and is fast unless something grows faster than the input.
func TestHostileSizes(t *testing.T) {
	server := "{apiVersion: toolhive.stacklok.dev/v1beta1, kind: MCPServer, metadata: {name: a%d}, spec: {image: a, authServerRef: {name: x}}}"
	list := "kind: List\nitems:\n"
	for i := range 2000 {
		list += fmt.Sprintf("- "+server+"\n", i)
	}
	for name, c := range map[string]struct {
		text     string
		findings int
	}{
		"documents":             {strings.Repeat("a: b\n---\n", 20_000), 1},
		"too many documents":    {strings.Repeat("a: b\n---\n", 100_002), 1},
		"values of JSON":        {strings.Repeat("{}\n", 20_000), 1},
		"a list of references":  {list, 201},
		"a key again and again": {strings.TrimSuffix(bad, "  imagee: x\n") + strings.Repeat("  image: a\n", 50_000), 201},
	} {
		t.Run(name, func(t *testing.T) {
			found := lintText(t, c.text)
			if len(found) != c.findings || c.findings > 1 && found[0] != "f:1:1 parse/limit" {
				t.Errorf("%d findings, the first %s, want %d", len(found), found[0], c.findings)
			}
		})
	}
}

package source

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/compat/release"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// places are texts that only some files of ToolHive's operator contain. Any other
// file that contains one may write a run config that scopegate does not know.
var places = []struct {
	text  string
	files []string
}{
	{toolhive.RunConfigKey, []string{serverWriter, proxyWriter}},
	{toolhive.AuthServerConfigKey, []string{virtualWriter}},
	{toolhive.ComponentLabel, []string{serverWriter, proxyWriter, virtualWriter}},
	{toolhive.ContentChecksumAnnotation, []string{checksums}},
}

// encoded are the packages whose type RunConfig is encoded by its tags: it must
// have no methods that encode it otherwise.
var encoded = []string{"pkg/runner", "pkg/authserver"}

var encoders = []string{"MarshalJSON", "MarshalText", "MarshalYAML", "UnmarshalJSON", "UnmarshalText", "UnmarshalYAML"}

// comparePlaces looks for these texts in all files of the operator, and for
// methods that encode a RunConfig.
func comparePlaces(files fs.FS) (differences []string, err error) {
	err = walk(files, "cmd/thv-operator", func(file string, text []byte) error {
		for _, place := range places {
			quoted := strconv.Quote(place.text)
			if slices.Contains(place.files, file) || !bytes.Contains(text, []byte(quoted)) {
				continue
			}
			f, err := parse(files, file)
			if err != nil {
				return err
			}
			ast.Inspect(f.syntax, func(node ast.Node) bool {
				if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING && literal.Value == quoted {
					differences = append(differences, fmt.Sprintf("%s:%d: %s stands here too, where scopegate knows it in %s alone",
						file, f.line(literal.Pos()), quoted, strings.Join(place.files, ", ")))
				}
				return true
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, folder := range encoded {
		err := walk(files, folder, func(file string, text []byte) error {
			if path.Dir(file) != folder || !bytes.Contains(text, []byte("arshal")) {
				return nil
			}
			f, err := parse(files, file)
			if err != nil {
				return err
			}
			for _, encoder := range encoders {
				if method := f.function("RunConfig." + encoder); method != nil {
					differences = append(differences, fmt.Sprintf("%s:%d: RunConfig has a method %s, so its tags may not be how it is encoded",
						file, f.line(method.Pos()), encoder))
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return differences, nil
}

func walk(files fs.FS, folder string, visit func(file string, text []byte) error) error {
	return fs.WalkDir(files, folder, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(files, file)
		if err != nil {
			return err
		}
		return visit(file, text)
	})
}

// TestChart checks that ToolHive's chart labels the Deployment of its operator with the
// name and the version by which the plugin finds the version (internal/cluster).
func TestChart(t *testing.T) {
	const chart = "deploy/charts/operator/"
	for _, r := range release.All {
		t.Run(r.Version, func(t *testing.T) {
			files := r.Files(t)
			for file, want := range map[string]string{
				"templates/_helpers.tpl":    "app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}",
				"templates/deployment.yaml": `{{- include "toolhive-operator.labels" . | nindent 4 }}`,
				"Chart.yaml":                "appVersion: \"" + r.Version + "\"",
			} {
				text, err := fs.ReadFile(files, chart+file)
				expect.NoError(t, err)
				if !strings.Contains(string(text), want) {
					t.Errorf("ToolHive %s, %s%s: there is no %s", r.Version, chart, file, want)
				}
			}
		})
	}
}

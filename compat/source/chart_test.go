package source

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/compat/release"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestChart checks that ToolHive's chart labels the Deployment of its operator with the
// name and the version by which the plugin finds the version (internal/inventory).
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

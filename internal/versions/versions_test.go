package versions_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/versions"
)

func TestWarnings(t *testing.T) {
	const kubernetes, toolHive = "Kubernetes %s, but with 1.30 to 1.37:", "ToolHive %s, but with v0.44.0 to v0.63.0:"
	for name, c := range map[string]struct {
		found versions.Found
		want  []string
	}{
		"first":                  {versions.Found{Kubernetes: "v1.30.0", ToolHive: "v0.44.0"}, nil},
		"last":                   {versions.Found{Kubernetes: "v1.37.9", ToolHive: "v0.63.4"}, nil},
		"with what a cloud adds": {versions.Found{Kubernetes: "v1.34.1-eks-abc123", ToolHive: "0.50.0"}, nil},
		"too old":                {versions.Found{Kubernetes: "v1.29.9", ToolHive: "v0.43.9"}, []string{kubernetes, toolHive}},
		"too new":                {versions.Found{Kubernetes: "v1.38.0-alpha.1+k3s1", ToolHive: "v0.64.0"}, []string{kubernetes, toolHive}},
		"a new major":            {versions.Found{Kubernetes: "v2.34.0", ToolHive: "v1.50.0"}, []string{kubernetes, toolHive}},
		"unknown":                {versions.Found{Kubernetes: versions.Unknown, ToolHive: versions.Unknown}, nil},
		"latest":                 {versions.Found{Kubernetes: "v1.35.0", ToolHive: "latest"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.found.Warnings()
			if len(got) != len(c.want) {
				t.Fatalf("got %q, want %d warnings", got, len(c.want))
			}
			for i, found := range []string{c.found.Kubernetes, c.found.ToolHive}[:len(got)] {
				if want := fmt.Sprintf(c.want[i], found); !strings.Contains(got[i], want) {
					t.Errorf("got %q, want it to contain %q", got[i], want)
				}
			}
		})
	}
}

// TestDocumented compares the ranges with the documentation and with the matrix.
func TestDocumented(t *testing.T) {
	page := expect.ReadFile(t, "../../docs/compatibility.md")
	sentence := fmt.Sprintf("The tested range is Kubernetes %s to %s, and ToolHive %s to %s.",
		versions.Kubernetes.First, versions.Kubernetes.Last, versions.ToolHive.First, versions.ToolHive.Last)
	if !strings.Contains(page, sentence) {
		t.Errorf("docs/compatibility.md does not say: %s", sentence)
	}
	_, table, _ := strings.Cut(page, "\n| release | its Go files |")
	table, _, _ = strings.Cut(table, "\n\n")
	releases := regexp.MustCompile(`v0\.\d+\.\d+`).FindAllString(table, -1)
	minors := strings.Fields(regexp.MustCompile(`\{KUBERNETES:-(.*?)\}`).FindStringSubmatch(expect.ReadFile(t, "../../hack/matrix.sh"))[1])
	if len(releases) == 0 {
		t.Fatal("docs/compatibility.md has no table of ToolHive's releases")
	}
	want := []versions.Range{versions.Kubernetes, versions.ToolHive}
	got := []versions.Range{
		{Of: "Kubernetes", First: minors[0], Last: minors[len(minors)-1]},
		{Of: "ToolHive", First: releases[0], Last: releases[len(releases)-1]},
	}
	expect.Equal(t, "the ranges", want, got)
}

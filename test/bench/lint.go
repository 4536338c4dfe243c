package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
)

const (
	documents = 1000
	pairCount = 500
	// runsPerRound is the number of runs of each program in a round: a run is
	// short.
	runsPerRound = 5
)

type lintTools struct {
	ours, validate, conform, conftest string
	meter                             meter
}

type part func(ctx context.Context, tools lintTools, folder string, runs int, row func(...string))

// lintBench returns a benchmark that compares kubectl scopegate lint with other
// programs: P4, P5 or P6. It fails if their findings differ.
func lintBench(compare part) func(context.Context) {
	return func(ctx context.Context) {
		folder := must(os.MkdirTemp("", "scopegate-bench-"))
		defer os.RemoveAll(folder) //nolint:errcheck // A folder of temporary files.
		result := newTable("lint", "measured", "target")
		compare(ctx, buildTools(ctx, folder), folder, runsPerRound*rounds, result.row)
		result.print()
	}
}

// buildTools builds the programs. Those of others have a version that is pinned
// here.
func buildTools(ctx context.Context, folder string) lintTools {
	cache := must(os.UserCacheDir())
	// Go does not rebuild a program there that is up to date.
	into := filepath.Join(cache, "scopegate", "bench")
	tools := lintTools{meter: meter{file: filepath.Join(folder, "usage.json")}}
	for _, tool := range []struct {
		path *string
		main string
	}{
		{&tools.meter.path, "github.com/scopegate/scopegate/test/bench/measure"},
		{&tools.ours, "github.com/scopegate/scopegate/cmd/kubectl-scopegate"},
		{&tools.validate, "sigs.k8s.io/kubectl-validate@v0.0.4"},
		{&tools.conform, "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0"},
		{&tools.conftest, "github.com/open-policy-agent/conftest@v0.71.1"},
	} {
		*tool.path = build(ctx, tool.main, into)
	}
	return tools
}

// many is P4.
func many(ctx context.Context, tools lintTools, folder string, runs int, row func(...string)) {
	text := manifests(documents)
	file := filepath.Join(folder, "manifests.yaml")
	check(os.WriteFile(file, text, 0o600))
	location := jsonSchemas(folder)
	ours := program{"lint", []string{tools.ours, "lint", "-o", "json", file}}
	validate := program{"kubectl-validate", []string{tools.validate, "--local-crds", "config/crd", "-o", "json", file}}
	conform := program{"kubeconform", []string{tools.conform, "-schema-location", location, "-output", "json", file}}
	schema, rule := named(text, "schema-"), named(text, "rule-")
	tools.meter.finds(ctx, ours, ourErrors, append(rule, schema...))
	tools.meter.finds(ctx, validate, func(output []byte) []string { return validateErrors(output, named(text, "")) }, append(rule, schema...))
	tools.meter.finds(ctx, conform, conformErrors, schema)
	progress("%d documents, %d runs of each", documents, runs)
	used := tools.meter.interleave(ctx, runs, ours, validate, conform)
	what := fmt.Sprintf("P4: %d documents", documents)
	row(what+", time / kubectl-validate", figure(used[0], used[1], wall), "<= 0.10")
	row(what+", CPU time / kubectl-validate", figure(used[0], used[1], cpu), "")
	row(what+", time / kubeconform", figure(used[0], used[2], wall), "")
	row(what+", CPU time / kubeconform", figure(used[0], used[2], cpu), "")
}

// finds fails unless a program finds fault with exactly these documents.
func (m meter) finds(ctx context.Context, p program, found func([]byte) []string, want []string) {
	_, output := m.start(ctx, p)
	if got := sets.New(found(output)...); !got.Equal(sets.New(want...)) || len(got) == 0 {
		check(fmt.Errorf("%s finds fault with %v, want %v", p.name, sets.List(got), want))
	}
}

// across is P5.
func across(ctx context.Context, tools lintTools, folder string, runs int, row func(...string)) {
	file := filepath.Join(folder, "pairs.yaml")
	text := pairs(pairCount)
	check(os.WriteFile(file, text, 0o600))
	ours := program{"lint", []string{tools.ours, "lint", "-o", "json", file}}
	conftest := program{"conftest", []string{tools.conftest, "test", "--combine", "-p", "test/bench/baseline.rego", "-o", "json", file}}
	tools.meter.finds(ctx, ours, ourErrors, named(text, "wrong-"))
	tools.meter.finds(ctx, conftest, conftestErrors, named(text, "wrong-"))
	progress("%d pairs, %d runs of each", pairCount, runs)
	used := tools.meter.interleave(ctx, runs, ours, conftest)
	row(fmt.Sprintf("P5: %d pairs, time / conftest --combine", pairCount), figure(used[0], used[1], wall), "<= 0.25")
}

// single is P6.
func single(ctx context.Context, tools lintTools, folder string, runs int, row func(...string)) {
	file := filepath.Join(folder, "one.yaml")
	text := must(os.ReadFile("config/samples/30-auth-config.yaml"))
	check(os.WriteFile(file, text, 0o600))
	progress("1 document, %d runs of each", 2*runs)
	used := tools.meter.interleave(ctx, 2*runs, program{"lint", []string{tools.ours, "lint", file}},
		program{"kubectl-validate", []string{tools.validate, "--local-crds", "config/crd", file}})
	row("P6: 1 document, time / kubectl-validate", figure(used[0], used[1], wall), "<= 0.80")
	row("P6: 1 document, CPU time / kubectl-validate", figure(used[0], used[1], cpu), "")
	row("P6: 1 document, peak memory / kubectl-validate", fmt.Sprintf("%.2f (%.1f / %.1f MiB)", ratio(used[0], used[1], peak),
		medianOf(used[0], peak)/(1<<20), medianOf(used[1], peak)/(1<<20)), "<= 1.00")
	ours, theirs := size(tools.ours), size(tools.validate)
	row("P6: stripped binary / kubectl-validate", fmt.Sprintf("%.2f (%.1f / %.1f MB)", ours/theirs, ours/1e6, theirs/1e6), "<= 0.35")
}

// figure returns a ratio with the medians of both sides.
func figure(ours, theirs []usage, of func(usage) float64) string {
	return fmt.Sprintf("%.2f (%.0f / %.0f ms)", ratio(ours, theirs, of), medianOf(ours, of)*1000, medianOf(theirs, of)*1000)
}

// named returns the names of the documents that begin with a prefix, in order.
func named(text []byte, prefix string) (names []string) {
	for line := range strings.Lines(string(text)) {
		// The metadata of the manifests begin with the name.
		if name, ok := strings.CutPrefix(line, "  name: "+prefix); ok {
			names = append(names, prefix+strings.TrimSpace(name))
		}
	}
	return names
}

func ourErrors(output []byte) (found []string) {
	var report struct {
		Findings []struct {
			Severity string
			Object   struct{ Name string }
		}
	}
	check(json.Unmarshal(output, &report))
	for _, finding := range report.Findings {
		if finding.Severity == "error" {
			found = append(found, finding.Object.Name)
		}
	}
	return found
}

func validateErrors(output []byte, names []string) (found []string) {
	var files map[string][]struct{ Status string }
	check(json.Unmarshal(output, &files))
	for _, documents := range files {
		if len(documents) != len(names) {
			check(fmt.Errorf("%d documents, want %d", len(documents), len(names)))
		}
		for i, document := range documents {
			if document.Status != "Success" {
				found = append(found, names[i])
			}
		}
	}
	return found
}

func conformErrors(output []byte) (found []string) {
	var report struct {
		Resources []struct{ Name, Status string }
	}
	check(json.Unmarshal(output, &report))
	for _, resource := range report.Resources {
		found = append(found, resource.Name)
	}
	return found
}

func conftestErrors(output []byte) (found []string) {
	var results []struct{ Failures []struct{ Msg string } }
	check(json.Unmarshal(output, &results))
	for _, result := range results {
		for _, failure := range result.Failures {
			name, _, _ := strings.Cut(failure.Msg, ":")
			found = append(found, name)
		}
	}
	return found
}

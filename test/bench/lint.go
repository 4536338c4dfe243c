package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
func lintBench(compare part) func(context.Context, options) {
	return func(ctx context.Context, o options) {
		folder := must(os.MkdirTemp("", "scopegate-bench-"))
		defer os.RemoveAll(folder) //nolint:errcheck // A folder of temporary files.
		result := newTable("lint", "measured", "target")
		compare(ctx, buildTools(ctx, folder), folder, runsPerRound*o.rounds, result.row)
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
	sameFindings(ctx, tools.meter, ours, validate, conform, names(text))
	progress("%d documents, %d runs of each", documents, runs)
	used := tools.meter.interleave(ctx, runs, ours, validate, conform)
	what := fmt.Sprintf("P4: %d documents", documents)
	row(what+", time / kubectl-validate", figure(used[0], used[1], wall), "<= 0.10")
	row(what+", CPU time / kubectl-validate", figure(used[0], used[1], cpu), "")
	row(what+", time / kubeconform", figure(used[0], used[2], wall), "")
	row(what+", CPU time / kubeconform", figure(used[0], used[2], cpu), "")
}

// sameFindings fails unless each program finds fault with exactly the wrong
// documents, and kubeconform with exactly those that break the schema.
func sameFindings(ctx context.Context, meter meter, ours, validate, conform program, names []string) {
	wrong := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return !strings.HasPrefix(name, "rule-") && !strings.HasPrefix(name, "schema-")
	})
	slices.Sort(wrong)
	schemaOnly := slices.DeleteFunc(slices.Clone(wrong), func(name string) bool { return !strings.HasPrefix(name, "schema-") })
	for _, tool := range []struct {
		program program
		found   func([]byte, []string) []string
		want    []string
	}{{ours, ourErrors, wrong}, {validate, validateErrors, wrong}, {conform, conformErrors, schemaOnly}} {
		_, output := meter.start(ctx, tool.program)
		found := tool.found(output, names)
		slices.Sort(found)
		if found = slices.Compact(found); !slices.Equal(found, tool.want) || len(found) == 0 {
			check(fmt.Errorf("%s finds fault with %v, want %v", tool.program.name, found, tool.want))
		}
	}
}

// across is P5.
func across(ctx context.Context, tools lintTools, folder string, runs int, row func(...string)) {
	file := filepath.Join(folder, "pairs.yaml")
	check(os.WriteFile(file, pairs(pairCount), 0o600))
	ours := program{"lint", []string{tools.ours, "lint", "-o", "json", file}}
	conftest := program{"conftest", []string{tools.conftest, "test", "--combine", "-p", "test/bench/baseline.rego", "-o", "json", file}}
	var found [2][]string
	for i, tool := range []struct {
		program program
		found   func([]byte, []string) []string
	}{{ours, ourConsumers}, {conftest, conftestErrors}} {
		_, output := tools.meter.start(ctx, tool.program)
		found[i] = tool.found(output, nil)
		slices.Sort(found[i])
	}
	if !slices.Equal(found[0], found[1]) || len(found[0]) != pairCount/oneWrongIn {
		check(fmt.Errorf("lint finds fault with %v, conftest with %v", found[0], found[1]))
	}
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

// names returns the names of the documents, in order.
func names(text []byte) []string {
	var names []string
	for line := range strings.Lines(string(text)) {
		// The metadata of the manifests begin with the name.
		if name, ok := strings.CutPrefix(line, "  name: "); ok {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}

type ourReport struct {
	Findings []struct {
		Rule, Severity, Message string
		Object                  struct{ Name string }
	}
}

func ourErrors(output []byte, _ []string) []string {
	var report ourReport
	check(json.Unmarshal(output, &report))
	var found []string
	for _, finding := range report.Findings {
		if finding.Severity == "error" {
			found = append(found, finding.Object.Name)
		}
	}
	return found
}

// ourConsumers returns the consumers that messages quote.
func ourConsumers(output []byte, _ []string) []string {
	var report ourReport
	check(json.Unmarshal(output, &report))
	var found []string
	for _, finding := range report.Findings {
		if _, rest, ok := strings.Cut(finding.Message, `MCPServer "`); ok && finding.Rule == "baseline/not-supported" {
			name, _, _ := strings.Cut(rest, `"`)
			found = append(found, name)
		}
	}
	return found
}

func validateErrors(output []byte, names []string) []string {
	var files map[string][]struct{ Status string }
	check(json.Unmarshal(output, &files))
	var found []string
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

func conformErrors(output []byte, _ []string) []string {
	var report struct {
		Resources []struct{ Name, Status string }
	}
	check(json.Unmarshal(output, &report))
	var found []string
	for _, resource := range report.Resources {
		found = append(found, resource.Name)
	}
	return found
}

func conftestErrors(output []byte, _ []string) []string {
	var results []struct{ Failures []struct{ Msg string } }
	check(json.Unmarshal(output, &results))
	var found []string
	for _, result := range results {
		for _, failure := range result.Failures {
			name, _, _ := strings.Cut(failure.Msg, ":")
			found = append(found, name)
		}
	}
	return found
}

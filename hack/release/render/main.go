// Command render renders a chart with many values, each as `helm template` would. It
// reads requests from standard input, and writes an answer to each, both as JSON.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	release "helm.sh/helm/v4/pkg/release/v1"
)

type request struct {
	// Chart is the chart's folder.
	Chart string
	// Namespace is the namespace of the release.
	Namespace string
	// Values is the text of a file of values.
	Values string
}

type answer struct{ Manifest, Notes, Error string }

func main() {
	// Helm logs that it follows links.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	requests, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var r request
		err := requests.Decode(&r)
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			err = answers.Encode(render(r))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "render:", err)
			os.Exit(1)
		}
	}
}

func render(r request) answer {
	chart, err := loader.Load(r.Chart)
	if err != nil {
		return answer{Error: err.Error()}
	}
	values, err := loader.LoadValues(strings.NewReader(r.Values))
	if err != nil {
		return answer{Error: err.Error()}
	}
	install := action.NewInstall(action.NewConfiguration())
	install.DryRunStrategy, install.Namespace, install.ReleaseName = action.DryRunClient, r.Namespace, "scopegate"
	installed, err := install.Run(chart, values)
	if err != nil {
		return answer{Error: err.Error()}
	}
	rendered := installed.(*release.Release)
	return answer{Manifest: rendered.Manifest, Notes: rendered.Info.Notes}
}

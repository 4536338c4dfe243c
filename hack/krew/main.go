// Command krew writes the manifest by which krew installs the plugin, for a
// release: its version, where its archives are, and their checksums.
//
//	go run ./hack/krew -version v1.2.3 -checksums dist/checksums.txt -url https://example.com/v1.2.3 > scopegate.yaml
//
// The checksums are as sha256sum writes them. Of the files in them, those named
// kubectl-scopegate_OS_ARCH.tar.gz, or .zip, become platforms.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// plugin is krew's manifest (krew.googlecontainertools.github.com/v1alpha2).
type plugin struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   metadata `json:"metadata"`
	Spec       spec     `json:"spec"`
}

type metadata struct {
	Name string `json:"name"`
}

type spec struct {
	Version          string     `json:"version"`
	Homepage         string     `json:"homepage"`
	ShortDescription string     `json:"shortDescription"`
	Description      string     `json:"description"`
	Platforms        []platform `json:"platforms"`
}

type platform struct {
	Selector metav1.LabelSelector `json:"selector"`
	URI      string               `json:"uri"`
	SHA256   string               `json:"sha256"`
	Bin      string               `json:"bin"`
}

const description = `Reports whether the baseline scopes of ToolHive's embedded auth servers are among
the scopes that the auth servers support: lint evaluates manifests without a
cluster, tree shows the configs of a cluster with their consumers and verdicts,
and guard check takes stock before and after the guard is adopted.
`

func main() {
	version := flag.String("version", "", "version of the release, such as v1.2.3")
	checksums := flag.String("checksums", "", "file with the checksums of the archives")
	url := flag.String("url", "", "address of the folder that has the archives")
	flag.Parse()
	if err := run(*version, *checksums, *url, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "krew:", err)
		os.Exit(1)
	}
}

func run(version, checksums, url string, out io.Writer) error {
	if version == "" || checksums == "" || url == "" {
		return errors.New("-version, -checksums and -url must be set")
	}
	text, err := os.ReadFile(checksums) //nolint:gosec // The user names it.
	if err != nil {
		return err
	}
	platforms, err := platformsOf(text, strings.TrimSuffix(url, "/"))
	if err != nil {
		return fmt.Errorf("%s: %w", checksums, err)
	}
	manifest, err := yaml.Marshal(plugin{
		APIVersion: "krew.googlecontainertools.github.com/v1alpha2", Kind: "Plugin", Metadata: metadata{Name: "scopegate"},
		Spec: spec{
			Version: version, Homepage: "https://github.com/scopegate/scopegate",
			ShortDescription: "Check the baseline scopes of auth servers", Description: description, Platforms: platforms,
		},
	})
	if err == nil {
		_, err = out.Write(manifest)
	}
	return err
}

var archive = regexp.MustCompile(`^kubectl-scopegate_([a-z0-9]+)_([a-z0-9]+)\.(tar\.gz|zip)$`)

func platformsOf(checksums []byte, url string) ([]platform, error) {
	var platforms []platform
	lines := bufio.NewScanner(bytes.NewReader(checksums))
	for lines.Scan() {
		sum, file, ok := strings.Cut(lines.Text(), " ")
		// The mark of a binary file, and a folder, may be before the name.
		name := path.Base(strings.TrimLeft(file, " *"))
		match := archive.FindStringSubmatch(name)
		if !ok || match == nil {
			continue
		}
		bin := "kubectl-scopegate"
		if match[1] == "windows" {
			bin += ".exe"
		}
		platforms = append(platforms, platform{
			Selector: metav1.LabelSelector{MatchLabels: map[string]string{"os": match[1], "arch": match[2]}},
			URI:      url + "/" + name, SHA256: sum, Bin: bin,
		})
	}
	if len(platforms) == 0 {
		return nil, errors.New("there is no archive kubectl-scopegate_OS_ARCH.tar.gz in it")
	}
	return platforms, lines.Err()
}

// Command krew writes the manifest by which krew installs the plugin, for a
// release: its version, where its archives are, and their checksums.
//
//	go run ./hack/krew -version v1.2.3 -checksums dist/checksums.txt > scopegate.yaml
//
// The checksums are as sha256sum writes them. Of the files in them, those named
// kubectl-scopegate_OS_ARCH.tar.gz become platforms.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"text/template"
)

// manifest is of krew.googlecontainertools.github.com/v1alpha2.
var manifest = template.Must(template.New("").Parse(`apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: scopegate
spec:
  description: |
    Reports whether the baseline scopes of ToolHive's embedded auth servers are among
    the scopes that the auth servers support: lint evaluates manifests without a
    cluster, tree shows the configs of a cluster with their consumers and verdicts,
    and guard check takes stock before and after the guard is adopted.
  homepage: https://github.com/scopegate/scopegate
  platforms:
{{- range .Archives}}
  - bin: kubectl-scopegate
    selector:
      matchLabels:
        arch: {{index . 4}}
        os: {{index . 3}}
    sha256: {{index . 1}}
    uri: {{$.URL}}/{{index . 2}}
{{- end}}
  shortDescription: Check the baseline scopes of auth servers
  version: {{.Version}}
`))

func main() {
	version := flag.String("version", "", "version of the release, such as v1.2.3")
	checksums := flag.String("checksums", "", "file with the checksums of the archives")
	url := flag.String("url", "", "address of the folder that has the archives, if it is not that of the release on GitHub")
	flag.Parse()
	if err := run(*version, *checksums, *url); err != nil {
		fmt.Fprintln(os.Stderr, "krew:", err)
		os.Exit(1)
	}
}

// archive matches the line of an archive: its sum, its name, its system and its platform.
var archive = regexp.MustCompile(`(?m)^([0-9a-f]{64}) [ *](?:.*/)?(kubectl-scopegate_([a-z0-9]+)_([a-z0-9]+)\.tar\.gz)$`)

func run(version, checksums, url string) error {
	if version == "" || checksums == "" {
		return errors.New("-version and -checksums must be set")
	}
	text, err := os.ReadFile(checksums) //nolint:gosec // The user names it.
	if err != nil {
		return err
	}
	archives := archive.FindAllStringSubmatch(string(text), -1)
	if len(archives) == 0 {
		return fmt.Errorf("%s: there is no archive kubectl-scopegate_OS_ARCH.tar.gz in it", checksums)
	}
	url = cmp.Or(url, "https://github.com/scopegate/scopegate/releases/download/"+version)
	return manifest.Execute(os.Stdout, map[string]any{"Version": version, "URL": strings.TrimSuffix(url, "/"), "Archives": archives})
}

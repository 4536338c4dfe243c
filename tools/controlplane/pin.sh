#!/usr/bin/env bash
# Pins a release of another Kubernetes minor, besides the one in go.mod:
# `pin.sh 1.35.4` writes 1.35.mod and 1.35.sum.
set -euo pipefail
cd "$(dirname "$0")"

if [[ ! "${1:-}" =~ ^1\.[0-9]+\.[0-9]+$ ]]; then
  echo "usage: tools/controlplane/pin.sh 1.MINOR.PATCH" >&2
  exit 2
fi
release=$1
minor=${release%.*}
upstream=$(go mod download -json "k8s.io/kubernetes@v$release" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')

# Kubernetes' own go.mod has the indirect requirements, and the sums pin it. Only the
# staging modules must be listed: that go.mod has their local paths, and they are
# published as v0.MINOR.PATCH.
{
  echo "// Kubernetes $minor, for \`make controlplane KUBERNETES=$minor\`; pin.sh writes this file."
  echo "module github.com/scopegate/scopegate/tools/controlplane"
  echo
  grep '^go ' "$upstream"
  echo
  echo "require k8s.io/kubernetes v$release"
  echo
  echo "replace ("
  sed -n "s|^\t\(k8s.io/[^ ]*\) => ./staging/.*|\t\1 => \1 v0.${release#1.}|p" "$upstream"
  echo ")"
} >"$minor.mod"
rm -f "$minor.sum"
# tools/node builds the last three.
go list -mod=mod -modfile="$minor.mod" -deps k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kubectl,kubelet,kube-scheduler,kube-proxy} >/dev/null

#!/usr/bin/env bash
# Pins a release of another Kubernetes minor, besides the one in go.mod:
# `pin.sh 1.35.4` writes 1.35.mod and 1.35.sum. If the proxy does not serve one of its
# staging modules, take that of another patch: `pin.sh 1.32.13 endpointslice=0.32.12`.
set -euo pipefail
cd "$(dirname "$0")/pins"

if [[ ! "${1:-}" =~ ^1\.[0-9]+\.[0-9]+$ ]]; then
  echo "usage: hack/controlplane/pin.sh 1.MINOR.PATCH" >&2
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
  echo "module github.com/scopegate/scopegate/hack/controlplane/pins"
  echo
  grep '^go ' "$upstream"
  echo
  echo "require k8s.io/kubernetes v$release"
  echo
  echo "replace ("
  sed -n "s|^\t\(k8s.io/[^ ]*\) => ./staging/.*|\t\1 => \1 v0.${release#1.}|p" "$upstream"
  echo ")"
} >"$minor.mod"
for other in "${@:2}"; do
  sed -i "s|\(k8s.io/${other%=*} => k8s.io/${other%=*} v\).*|\1${other#*=}|" "$minor.mod"
done
rm -f "$minor.sum"
sums() { go list -mod=mod -modfile="$minor.mod" -deps "$@" >/dev/null; }
sums k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kubectl}
# hack/node builds these. Of an old release, not all modules may be served.
sums k8s.io/kubernetes/cmd/{kubelet,kube-scheduler,kube-proxy} || echo "pin.sh: no node can be built of $release" >&2

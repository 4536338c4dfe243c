#!/usr/bin/env bash
# Builds kube-apiserver, kube-controller-manager, kubectl and etcd from their Go
# modules into a per-user cache folder, once per version and go.sum, and prints
# that folder as the last line. All progress goes to standard error.
#
# KUBEBUILDER_ASSETS, when set, is used instead and nothing is built.
set -euo pipefail
cd "$(dirname "$0")"

if [[ -n "${KUBEBUILDER_ASSETS:-}" ]]; then
  for binary in kube-apiserver etcd kubectl; do
    if [[ ! -x "$KUBEBUILDER_ASSETS/$binary" ]]; then
      echo "controlplane: KUBEBUILDER_ASSETS is $KUBEBUILDER_ASSETS, which has no executable $binary; unset it to build the pinned one" >&2
      exit 1
    fi
  done
  echo "$KUBEBUILDER_ASSETS"
  exit 0
fi

if ! command -v go >/dev/null; then
  echo "controlplane: no go on the PATH; install Go (see go.mod for the version) and try again" >&2
  exit 1
fi

version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
sum=$(git hash-object go.sum | cut -c1-12)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/scopegate/controlplane"
out="$cache/$version-$sum"
if [[ -d "$out" ]]; then
  echo "$out"
  exit 0
fi

if ! mkdir -p "$cache" 2>/dev/null || [[ ! -w "$cache" ]]; then
  echo "controlplane: cannot write to $cache; set XDG_CACHE_HOME to a folder that you can write to" >&2
  exit 1
fi
# Built beside its place and moved there whole: an interrupted build leaves
# nothing that a later run would take for complete.
work=$(mktemp -d "$cache/building.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'echo "controlplane: interrupted; what Go has compiled so far is kept, run it again to go on" >&2; exit 130' INT TERM

IFS=. read -r major minor _ <<<"${version#v}"
stamp=k8s.io/component-base/version
ldflags="-s -w -X $stamp.gitVersion=$version -X $stamp.gitMajor=$major -X $stamp.gitMinor=$minor"
commands=(k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kubectl} ./etcd)

echo "controlplane: building Kubernetes $version and etcd from source, once on this machine; it takes some minutes" >&2
total=$(CGO_ENABLED=0 go list -deps "${commands[@]}" | wc -l)
# go build -v names each package as it is compiled; packages that the build
# cache has are not named, so the count may end below the total.
CGO_ENABLED=0 go build -v -trimpath -ldflags "$ldflags" -o "$work/" "${commands[@]}" 2>&1 |
  awk -v total="$total" '
    /^[A-Za-z0-9.\/_-]+$/ { if (++n % 100 == 0) printf "controlplane: compiled %d of at most %d packages\n", n, total; next }
    { print }
  ' >&2

chmod 755 "$work"
# Another build may have been first.
[[ -d "$out" ]] || mv "$work" "$out"
echo "$out"

#!/usr/bin/env bash
# Builds prometheus, promtool and kube-state-metrics from their Go modules into a
# per-user cache folder, once for each version and go.sum. Prints that folder as the last
# line. All progress goes to standard error.
#
# If SCOPEGATE_MONITORING is set, it prints that folder and builds nothing.
set -euo pipefail
cd "$(dirname "$0")"

if [[ -n "${SCOPEGATE_MONITORING:-}" ]]; then
  for binary in prometheus promtool kube-state-metrics; do
    if [[ ! -x "$SCOPEGATE_MONITORING/$binary" ]]; then
      echo "monitoring: SCOPEGATE_MONITORING is $SCOPEGATE_MONITORING, which has no executable $binary; unset it to build the pinned one" >&2
      exit 1
    fi
  done
  echo "$SCOPEGATE_MONITORING"
  exit 0
fi

version=$(go list -m -f '{{.Version}}' github.com/prometheus/prometheus)
sum=$(git hash-object go.sum | cut -c1-12)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/scopegate/monitoring"
out="$cache/$version-$sum"
if [[ -d "$out" ]]; then
  echo "$out"
  exit 0
fi

if ! mkdir -p "$cache" 2>/dev/null || [[ ! -w "$cache" ]]; then
  echo "monitoring: cannot write to $cache; set XDG_CACHE_HOME to a folder that you can write to" >&2
  exit 1
fi
# The build uses a temporary folder and renames it at the end, so an interrupted build
# never looks complete.
work=$(mktemp -d "$cache/building.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'echo "monitoring: interrupted; what Go has compiled so far is kept, run it again to go on" >&2; exit 130' INT TERM

echo "monitoring: building Prometheus $version and kube-state-metrics from source, once on this machine; it takes some minutes" >&2
# The build leaves out the service discoveries of the clouds, which are most of the code.
# The tests use static targets.
CGO_ENABLED=0 go build -trimpath -tags remove_all_sd -ldflags '-s -w' -o "$work/" \
  github.com/prometheus/prometheus/cmd/{prometheus,promtool} k8s.io/kube-state-metrics/v2 >&2
# The last element of a module's path may be its version.
[[ -e "$work/kube-state-metrics" ]] || mv "$work/v2" "$work/kube-state-metrics"

chmod 755 "$work"
# Another build may have been first.
[[ -d "$out" ]] || mv "$work" "$out"
echo "$out"

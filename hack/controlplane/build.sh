#!/usr/bin/env bash
# Provides kube-apiserver, kube-controller-manager, kubectl and etcd, and prints their
# folder as the last line. hack/controlplane does the work, and documents it.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! command -v go >/dev/null; then
  echo "controlplane: no go on the PATH; install Go (see go.mod for the version) and try again" >&2
  exit 1
fi
# The flags are those of the binaries that it builds, so shared packages are compiled
# once. go run would not forward signals.
CGO_ENABLED=0 go build -trimpath -o bin/controlplane ./hack/controlplane
exec bin/controlplane

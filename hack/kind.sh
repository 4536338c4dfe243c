#!/usr/bin/env bash
# Starts a kind cluster named e2e, and puts onto its node the images that `make e2e`
# runs. Its argument is a tag of kindest/node. The images of scopegate are those of
# `make image IMAGEFLAGS=--local`.
set -euo pipefail
cd "$(dirname "$0")/.."
SCOPEGATE_NODE=$(tools/node/build.sh)
export SCOPEGATE_NODE
version=$(git describe --tags --always --dirty)

kind create cluster --name e2e --wait 3m --image "kindest/node:$1"
go run ./test/e2e/cluster --list \
  --image "scopegate-manager:$version=bin/images/manager.tar" --image "scopegate-authserver:$version=bin/images/authserver.tar" |
  while read -r name archive; do
    # Not by kind load, which keeps the names in the archives: those have no registry.
    docker exec --interactive e2e-control-plane \
      ctr --namespace k8s.io images import --base-name localhost/unnamed --index-name "$name" - <"$archive"
  done

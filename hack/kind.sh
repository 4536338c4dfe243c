#!/usr/bin/env bash
# Starts a kind cluster named e2e, and loads the images that `make e2e` needs onto its
# node. The argument is a tag of kindest/node. `make image IMAGEFLAGS=--local` must have
# built the images of scopegate.
set -euo pipefail
cd "$(dirname "$0")/.."
SCOPEGATE_NODE=$(hack/node/build.sh)
export SCOPEGATE_NODE
version=$(git describe --tags --always --dirty)

kind create cluster --name e2e --wait 3m --image "kindest/node:$1"
go run ./test/e2e/cluster --list \
  --image "scopegate-manager:$version=bin/images/manager.tar" --image "scopegate-authserver:$version=bin/images/authserver.tar" |
  while read -r name archive; do
    # kind load would keep the names in the archives, which have no registry.
    docker exec --interactive e2e-control-plane \
      ctr --namespace k8s.io images import --base-name localhost/unnamed --index-name "$name" - <"$archive"
  done

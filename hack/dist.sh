#!/usr/bin/env bash
# Writes dist/guard.yaml, dist/guard-deny.yaml, dist/guard-cleanup.yaml and
# dist/install.yaml: config/guard, the same with config/guard/deny,
# config/guard/cleanup and config/default in one file each, with the images of a
# version.
#
# VERSION is the tag of the images, by default that of this commit. REGISTRY, if
# set, stands before their names. OUT is the folder instead of dist.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${VERSION:-$(git describe --tags --always --dirty)}
prefix=${REGISTRY:+$REGISTRY/}
out=${OUT:-dist}
mkdir -p "$out" bin

overlay=$(mktemp -d bin/overlay.XXXXXX)
trap 'rm -rf "$overlay"' EXIT

# build FOLDER EXTRA prints a folder of config with the images of the version.
build() {
  cat >"$overlay/kustomization.yaml" <<EOF
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
# The order that they are listed in is that of the file: what others need, first.
sortOptions: {order: legacy}
resources: [../../config/$1]
images:
  - {name: scopegate-manager, newName: ${prefix}scopegate-manager, newTag: "$version"}
$2
EOF
  go tool -modfile=tools/release/go.mod kustomize build "$overlay"
}

authserver="patches:
  - patch: |-
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: scopegate, namespace: scopegate-system}
      spec: {template: {spec: {containers: [{name: manager, env: [{name: AUTH_SERVER_IMAGE, value: '${prefix}scopegate-authserver:$version'}]}]}}}"

build guard "" >"$overlay/guard.yaml"
build examples/guard-deny "" >"$overlay/guard-deny.yaml"
build guard/cleanup "" >"$overlay/guard-cleanup.yaml"
build default "$authserver" >"$overlay/install.yaml"
mv "$overlay/guard.yaml" "$overlay/guard-deny.yaml" "$overlay/guard-cleanup.yaml" "$overlay/install.yaml" "$out/"

#!/usr/bin/env bash
# Writes the manifests that users install into dist, with the images of a version:
#   guard.yaml, guard-deny.yaml            config/guard, without and with config/guard/deny
#   guard-hold.yaml, guard-hold-deny.yaml  config/guard/hold and hold-deny
#   guard-start-up.yaml                    config/guard/start-up
#   guard-cleanup.yaml                     config/guard/cleanup
#   standalone.yaml                        config/default
#
# VERSION is the tag of the images, by default that of this commit. REGISTRY is the
# prefix of their names. OUT replaces dist.
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
# Sorts the objects so that each comes after those that it needs.
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
build examples/guard-hold "" >"$overlay/guard-hold.yaml"
build examples/guard-hold-deny "" >"$overlay/guard-hold-deny.yaml"
build examples/guard-start-up "" >"$overlay/guard-start-up.yaml"
build guard/cleanup "" >"$overlay/guard-cleanup.yaml"
build default "$authserver" >"$overlay/standalone.yaml"
mv "$overlay"/{guard,guard-deny,guard-hold,guard-hold-deny,guard-start-up,guard-cleanup,standalone}.yaml "$out/"

#!/usr/bin/env bash
# Writes the manifests that users install into dist, with the images of a version:
#   guard.yaml           config/guard
#   guard-policies.yaml  config/guard/policies, which guard.yaml has too
#   guard-start-up.yaml  config/guard/start-up
#   guard-cleanup.yaml   config/guard/cleanup
#   standalone.yaml      config/standalone
#
# VERSION is the tag of the images, by default that of this commit. REGISTRY is the
# prefix of their names. MODE is the guard's mode in namespaces without the label
# scopegate.dev/guard: warn (the default), enforce or strict. OUT replaces dist.
# DIGESTS is a file with the digests of the images, if they are known.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${VERSION:-$(git describe --tags --always --dirty)}
prefix=${REGISTRY:+$REGISTRY/}
mode=${MODE:-warn}
out=${OUT:-dist}
# It becomes a label, by which the manager knows the policies of another release.
if [[ ! "$version" =~ ^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$ ]]; then
  echo "dist: VERSION $version: use at most 63 letters, digits, and between them . _ -" >&2
  exit 1
fi
# What reaches YAML, a patch and sed needs no quoting then.
if [[ ! "$prefix" =~ ^([A-Za-z0-9]([A-Za-z0-9._:/-]*[A-Za-z0-9])?/)?$ ]]; then
  echo "dist: REGISTRY $REGISTRY: name a registry, and folders in it, for instance registry.example.com/team" >&2
  exit 1
fi
case "$mode" in
  warn) component="" ;;
  enforce | strict) component="components: [../../config/guard/$mode]" ;;
  *) echo "dist: MODE $mode: choose warn, enforce or strict" >&2 && exit 1 ;;
esac
mkdir -p "$out" bin

overlay=$(mktemp -d bin/overlay.XXXXXX)
trap 'rm -rf "$overlay"' EXIT

# Looking it up takes longer than a build with it.
kustomize=$(go tool -n -modfile=hack/release/go.mod kustomize)

# digest NAME prints the digest of an image, if it is known.
digest() {
  if [[ -n "${DIGESTS:-}" ]]; then sed -n "s#^$1.tar ##p" "$DIGESTS"; fi
}
manager=$(digest manager)
authserver=$(digest authserver)

# build FOLDER EXTRA prints a folder of config with the images of the version.
build() {
  cat >"$overlay/kustomization.yaml" <<EOF
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
# Sorts the objects so that each comes after those that it needs.
sortOptions: {order: legacy}
resources: [../../config/$1]
labels:
  - pairs: {app.kubernetes.io/version: "$version"}
images:
  - {name: scopegate-manager, newName: "${prefix}scopegate-manager", newTag: "$version"${manager:+, digest: "$manager"}}
$2
EOF
  "$kustomize" build "$overlay"
}

standalone="patches:
  - patch: |-
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: scopegate, namespace: scopegate-system}
      spec: {template: {spec: {containers: [{name: manager, env: [{name: AUTH_SERVER_IMAGE, value: '${prefix}scopegate-authserver:$version${authserver:+@$authserver}'}]}]}}}"

build guard "$component" >"$overlay/guard.yaml"
build guard/policies "$component" >"$overlay/guard-policies.yaml"
build guard/start-up "$component" >"$overlay/guard-start-up.yaml"
build guard/cleanup "" >"$overlay/guard-cleanup.yaml"
build standalone "$standalone" >"$overlay/standalone.yaml"
# A file that an older release wrote must not be applied by mistake.
rm -f "$out"/guard*.yaml
mv "$overlay"/{guard,guard-policies,guard-start-up,guard-cleanup,standalone}.yaml "$out/"

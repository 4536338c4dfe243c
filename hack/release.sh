#!/usr/bin/env bash
# Builds a release into dist: binaries, images, SBOMs, manifests, chart, krew
# manifest and checksums. It uses only committed files, so two runs give the same
# checksums on any machine.
#
# VERSION is by default the tag of this commit. REGISTRY is the prefix of the names of
# the images: with it, the manifests and the chart have their digests, and the images,
# their SBOMs and the chart are pushed, with REGISTRY_USER and REGISTRY_PASSWORD or as
# docker login left it. URL is the future address of the files. OUT replaces dist.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
version=${VERSION:-$(git describe --tags --always --dirty)}
revision=$(git rev-parse HEAD)
epoch=$(git log -1 --format=%ct)
mkdir -p "${OUT:-dist}"
out=$(cd "${OUT:-dist}" && pwd)
export VERSION=$version REGISTRY=${REGISTRY:-} OUT=$out LC_ALL=C TZ=UTC
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "${out:?}"/*

say() { echo "release: $*" >&2; }

# archive FILE FOLDER NAME... packs files reproducibly.
archive() {
  local file=$1 folder=$2
  shift 2
  tar --create --directory="$folder" --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --format=gnu "$@" | gzip -9n >"$file"
}

for platform in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64; do
  name=${platform/\//_}
  say "binaries for $platform"
  CGO_ENABLED=0 GOFLAGS= GOOS=${platform%/*} GOARCH=${platform#*/} \
    go build -trimpath -buildvcs=true -ldflags="-s -w -buildid= -X github.com/scopegate/scopegate/internal/versions.version=$version" -o "$work/$name/" ./cmd/manager ./cmd/kubectl-scopegate
  cp LICENSE "$work/$name/"
  archive "$out/kubectl-scopegate_$name.tar.gz" "$work/$name" LICENSE kubectl-scopegate
  archive "$out/manager_$name.tar.gz" "$work/$name" LICENSE manager
done

say "images and SBOMs"
(cd hack/image && go run . --out "$out" --licence "$root/LICENSE" --version "$version" --revision "$revision" --epoch "$epoch" \
  "manager=$root/cmd/manager" "authserver=$root/authserver") >"$work/digests"
sed "s#^$out/##" "$work/digests" >"$out/images.txt"

say "manifests"
if [[ -n "$REGISTRY" ]]; then export DIGESTS=$out/images.txt; fi
hack/dist.sh

say "chart"
chart=$(hack/chart.sh "$work/scopegate")
go tool -modfile=hack/release/go.mod helm lint --strict "$work/scopegate" >"$work/lint" || { cat "$work/lint" >&2; exit 1; }
# helm package would write the current time into the archive.
archive "$out/scopegate-$chart.tgz" "$work" scopegate

checksums() { (cd "$out" && find . -type f ! -name checksums.txt -printf '%P\n' | sort | xargs sha256sum) >"$work/checksums"; }
say "krew manifest"
checksums
go run ./hack/krew -version "$version" -checksums "$work/checksums" -url "${URL:-}" >"$out/scopegate.yaml"
checksums
mv "$work/checksums" "$out/checksums.txt"
say "$(wc -l <"$out/checksums.txt") files in $out"

if [[ -n "$REGISTRY" ]]; then
  say "pushing to $REGISTRY"
  if [[ -n "${REGISTRY_PASSWORD:-}" ]]; then
    export DOCKER_CONFIG=$work
    go tool -modfile=hack/release/go.mod crane auth login "${REGISTRY%%/*}" --username "$REGISTRY_USER" --password-stdin <<<"$REGISTRY_PASSWORD" >&2
  fi
  (cd hack/image && go run . push --from "$out" --to "$REGISTRY" --version "$version" manager authserver) >&2
  http=()
  # A registry on this machine has no certificate.
  if [[ "$REGISTRY" =~ ^(localhost|127\.0\.0\.1)(:|/|$) ]]; then http=(--plain-http); fi
  go tool -modfile=hack/release/go.mod helm push "${http[@]}" "$out/scopegate-$chart.tgz" "oci://$REGISTRY/charts" >&2
fi

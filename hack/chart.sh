#!/usr/bin/env bash
# Writes the chart of a release into FOLDER, and prints its version: `hack/chart.sh FOLDER`.
# VERSION is the release. With REGISTRY, the prefix of the names of the images, it has the
# digest of the manager's image from DIGESTS, as hack/dist.sh has.
set -euo pipefail
folder=$(realpath -m "$1")
cd "$(dirname "$0")/.."
# The version of a chart is a semantic version, without the v.
chart=${VERSION#v}
[[ "$chart" =~ ^[0-9]+\.[0-9]+\.[0-9]+ ]] || chart="0.0.0-$chart"
cp -rL charts/scopegate "$folder"
find "$folder" \( -iname 'kustomization*' -o -path '*/tried*' \) -delete
sed -i "s/^version: .*/version: $chart/; s/^appVersion: .*/appVersion: \"$VERSION\"/" "$folder/Chart.yaml"
if [[ -n "${REGISTRY:-}" ]]; then
  digest=""
  if [[ -n "${DIGESTS:-}" ]]; then digest=$(sed -n 's/^manager.tar //p' "$DIGESTS"); fi
  sed -i "s#^  registry: \"\"#  registry: \"$REGISTRY\"#; s#^  digest: \"\"#  digest: \"$digest\"#" "$folder/values.yaml"
fi
echo "$chart"

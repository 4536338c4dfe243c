#!/usr/bin/env bash
# Compares the CRDs of the last release (the last tagged commit) with those of
# config/crd. Fails if a change would break stored objects or clients.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! release=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null); then
  echo "crdify: no commit is tagged as a release yet, so there is nothing to compare with"
  exit 0
fi
crdify=$(go tool -n -modfile=hack/release/go.mod crdify)
old=$(mktemp -d)
trap 'rm -rf "$old"' EXIT

failed=
for file in $(git ls-tree --name-only "$release" config/crd/ | grep '\.yaml$'); do
  if [[ ! -e "$file" ]]; then
    echo "crdify: $file of $release is gone: deleting a CRD deletes every object of its kind" >&2
    failed=yes
    continue
  fi
  git show "$release:$file" >"$old/crd.yaml"
  if cmp -s "$old/crd.yaml" "$file"; then continue; fi
  # crdify reads the versions that must stay from the status, which a file does not
  # have. All versions must stay, because clients use them.
  versions=$(sed -n 's/^    name: \(v[0-9].*\)$/\1/p' "$old/crd.yaml" | paste -sd,)
  echo "status: {storedVersions: [$versions]}" >>"$old/crd.yaml"
  if ! report=$("$crdify" --config hack/crdify.yaml "file://$old/crd.yaml" "file://$PWD/$file" 2>&1); then
    echo "crdify: $file breaks what $release stores or serves:" >&2
    grep -v ' ✓$' <<<"$report" >&2
    failed=yes
  fi
done
if [[ -n "$failed" ]]; then
  exit 1
fi
echo "crdify: the CRDs are compatible with those of $release"

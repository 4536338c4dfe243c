#!/usr/bin/env bash
# Fails if the linters find something, a generated file is not up to date, a file is not
# formatted, or a go.mod is not tidy. It works on a copy, untracked files included, so it
# changes nothing here. The copy always has the same path, which is part of the key of
# golangci-lint's cache: in a new clone it would check all dependencies again.
set -euo pipefail
cd "$(dirname "$0")/.."

copy=${XDG_CACHE_HOME:-$HOME/.cache}/scopegate/verify
mkdir -p "${copy%/*}"
if command -v flock >/dev/null; then
  exec 9>"$copy.lock"
  flock 9
fi
rm -rf "$copy" "$copy.before"
mkdir "$copy"
trap 'rm -rf "$copy" "$copy.before"' EXIT
git ls-files -z --cached --others --exclude-standard --deduplicate |
  while IFS= read -r -d '' file; do if [[ -e "$file" ]]; then printf '%s\0' "$file"; fi; done |
  tar --create --null --files-from=- | tar --extract --directory="$copy"
cp -a "$copy" "$copy.before"

make --no-print-directory --directory="$copy" lint
make --no-print-directory --directory="$copy" generate format
# tools is left out: tidy would read the tests of the tools, and would need their
# dependencies.
for module in . authserver compat test/release/gitops hack/controlplane/pins hack/image; do
  (cd "$copy/$module" && go mod tidy)
done

if ! diff --recursive --unified "$copy.before" "$copy"; then
  echo "verify: the files above differ from what is generated: run 'make generate format' and commit the result" >&2
  exit 1
fi
echo "verify: all generated files are up to date"

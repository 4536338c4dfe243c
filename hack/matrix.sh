#!/usr/bin/env bash
# Runs the tests that depend on the API server on several Kubernetes minors, and prints
# a row for each minor. KUBERNETES=1.35 chooses one. Logs are in bin/matrix.
set -euo pipefail
cd "$(dirname "$0")/.."
logs=$PWD/bin/matrix
mkdir -p "$logs"

# The columns: a name, the folder of the module, and the arguments of go test.
columns=(
  "rules and ratcheting|.|./test/cel/..."
  "policies|.|./test/guard/..."
  "install|.|./test/release/packaging -run Guard"
  "condition|compat|./manager/..."
)

echo "| Kubernetes | rules and ratcheting | policies | install | condition |"
echo "| --- | --- | --- | --- | --- |"
failed=0
for minor in ${KUBERNETES:-1.30 1.31 1.32 1.33 1.34 1.35 1.36 1.37}; do
  # Each minor has its own kubectl.
  assets=$(env -u KUBEBUILDER_ASSETS KUBERNETES="$minor" hack/controlplane/build.sh)
  version=$("$assets/kube-apiserver" --version | cut -d' ' -f2)
  row="| $version |"
  for column in "${columns[@]}"; do
    IFS='|' read -r name module arguments <<<"$column"
    # Below 1.33 only the guard is supported.
    if [[ "$name" == rules* && "${minor#1.}" -lt 33 ]]; then
      row+=" |"
      continue
    fi
    log="$logs/$minor ${name// /-}.log"
    # shellcheck disable=SC2086 # Several words.
    if (cd "$module" && KUBEBUILDER_ASSETS="$assets" go test -count=1 -timeout=30m -v $arguments) >"$log" 2>&1; then
      row+=" yes |"
    else
      row+=" **no** |" failed=1
      grep -E '^ *--- FAIL|_test.go:|^panic' "$log" >&2 || tail -n 20 "$log" >&2
    fi
  done
  echo "$row"
done
exit "$failed"

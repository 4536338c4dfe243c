#!/usr/bin/env bash
# Runs one of the long experiments, by name. They show what the documents claim, and
# take from minutes to hours. CASES sets how many random cases, TESTFLAGS are for go
# test, and TOOLHIVE is a release of ToolHive instead of the one in compat/go.mod, for the
# suites that say so. KUBEBUILDER_ASSETS is set by `make prove`.
set -euo pipefail
cd "$(dirname "$0")/.."

# quietly drops what go test and client-go say besides the results.
quietly() { grep --line-buffered -vE '^(=== |[EWI][0-9]{4} | +--- PASS)'; }
test() { go test -count=1 -timeout=6h -v "$@" ${TESTFLAGS:-} | quietly; }

# ofToolHive makes go test take the release of TOOLHIVE. It drops the indirect
# requirements, which go adds again: those of one release need not compile with another.
ofToolHive() {
  if [[ -z "${TOOLHIVE:-}" ]]; then return; fi
  local folder=$PWD/../bin/toolhive
  mkdir -p "$folder"
  sed '/\/\/ indirect$/d' go.mod >"$folder/$TOOLHIVE.mod"
  cp go.sum "$folder/$TOOLHIVE.sum"
  go mod edit -require="github.com/stacklok/toolhive@$TOOLHIVE" "$folder/$TOOLHIVE.mod"
  release=(-mod=mod -modfile="$folder/$TOOLHIVE.mod")
}
release=()

case "${1:-}" in
verdict)
  cd compat
  SCOPEGATE_EQUIVALENCE_CASES=${CASES:-1000000} test -run 'Verdict|RunConfig|StartUp|Schema|Examples' ./equivalence ./crds
  ;;
policies)
  SCOPEGATE_GUARD_CASES=${CASES:-10000} test -run 'Equivalence|Shipped' ./test/guard -long
  ;;
runconfigs)
  cd compat
  ofToolHive
  SCOPEGATE_RUNCONFIG_CASES=${CASES:-100000} test "${release[@]}" ./runconfigs
  ;;
operator)
  cd compat
  SCOPEGATE_TOOLHIVE_OPERATOR=${TOOLHIVE:-$(go list -m -f '{{.Version}}' github.com/stacklok/toolhive)} test ./operator
  ;;
reliability)
  SCOPEGATE_RELIABILITY_SCHEDULES=${CASES:-5000} test ./test/reliability
  ;;
mutation)
  go run ./test/mutation ${ARGS:-}
  ;;
beside)
  exec make --no-print-directory e2e TESTFLAGS="-run TestBeside -long ${TESTFLAGS:-}"
  ;;
*)
  cat >&2 <<'USAGE'
make prove SUITE=NAME, where NAME is
  verdict      a million verdicts, and the rules on start-up, equal ToolHive's and the API server's; 15 minutes
  policies     the guard's policies equal the verdict in 10,000 random namespaces; 15 minutes
  runconfigs   the policies on run configs equal ToolHive's decoders on 100,000 run configs; 15 minutes. TOOLHIVE=v0.44.0 for that release
  operator     ToolHive's operator beside the guard, without a node; minutes, once it is built. TOOLHIVE=v0.44.0 for that release
  reliability  5,000 random schedules of faults, and all planned ones; hours
  mutation     each of more than 70 seeded bugs is found by some suite; hours
  beside       the guard and ToolHive's operator do not disturb each other, on a real node; half an hour
USAGE
  echo "prove: there is no suite '${1:-}'" >&2
  exit 2
  ;;
esac

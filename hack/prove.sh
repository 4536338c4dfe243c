#!/usr/bin/env bash
# Runs one of the long experiments, by name. They give the evidence for the documents,
# and take from minutes to hours. CASES sets the number of random cases. TESTFLAGS are
# passed to go test. ARGS are for the suites that say so. TOOLHIVE replaces the ToolHive
# release of compat/go.mod, in the suites that say so. `make prove` sets KUBEBUILDER_ASSETS.
set -euo pipefail
cd "$(dirname "$0")/.."

# quietly drops the output of go test and client-go, with its stacks, except for the results.
quietly() { grep --line-buffered -vE '^(=== |[EWI][0-9]{4} |[0-9-]+T[0-9:]+Z[[:space:]]| +--- PASS|[[:space:]]?([a-z0-9]+\.)+(io|com)/)'; }
test() { go test -count=1 -timeout=6h -v "$@" ${TESTFLAGS:-} | quietly; }

case "${1:-}" in
verdict)
  cd compat
  SCOPEGATE_EQUIVALENCE_CASES=${CASES:-1000000} test -run 'Verdict|RunConfig|StartUp|Schema|Examples' ./equivalence ./crds
  ;;
policies)
  SCOPEGATE_GUARD_CASES=${CASES:-10000} test -run Equivalence ./test/guard
  cd compat
  test -run 'TestGuard' ./crds -all
  ;;
operator | race)
  cd compat
  if [[ "$1" == race ]]; then export SCOPEGATE_RACE_CASES=${CASES:-500}; fi
  SCOPEGATE_TOOLHIVE_OPERATOR=${TOOLHIVE:-$(go list -m -f '{{.Version}}' github.com/stacklok/toolhive)} test ./operator
  ;;
reliability)
  test ./test/reliability -full="${CASES:-5000}"
  ;;
upgrade)
  ref=${ARGS:?set it to the commit or the tag to upgrade from}
  previous=$(mktemp -d)
  git worktree add --quiet --detach "$previous/source" "$ref"
  trap 'git worktree remove --force "$previous/source"; rm -rf "$previous"' EXIT
  # The images have the names of the test's own manifests, so only the release differs.
  (cd "$previous/source" && CGO_ENABLED=0 go build -trimpath -o "$previous/manager" ./cmd/manager &&
    VERSION=v1.2.3 REGISTRY=registry.example.com/team OUT="$previous/dist" hack/dist.sh)
  SCOPEGATE_PREVIOUS=$previous test ./test/release/packaging -run 'Upgrade(Standalone|Guard)'
  ;;
release)
  test ./test/release/packaging -run Published -long
  ;;
fuzz)
  # A tenth of the inputs each, more of them for what reads the texts of others.
  share=$((${CASES:-10000000} / 10))
  while read -r package target times; do
    if [[ -n "${ARGS:-}" && " $ARGS " != *" $target "* ]]; then continue; fi
    go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$((share * times))x" -fuzzminimizetime=10x ${TESTFLAGS:-}
  done <<'TARGETS'
./internal/scopes FuzzMissing 1
./internal/scopes FuzzSuggest 1
./internal/condition FuzzMessages 1
./internal/lint FuzzLint 7
TARGETS
  ;;
mutants)
  mkdir -p bin
  failed=0
  for package in ${ARGS:-scopes resolve condition status startup rollout guard guard/writer lint lint/report inventory/tree inventory/guardcheck}; do
    go tool -modfile=hack/tools/go.mod gremlins unleash "./internal/$package" --workers=1 --timeout-coefficient=30 --threshold-efficacy=85 \
      --invert-logical --invert-loopctrl --invert-assignments --remove-self-assignments >bin/mutants.log 2>&1 || failed=1
    echo "internal/$package: $(grep -E '^(Killed|Test efficacy)' bin/mutants.log | tr '\n' ' ' || tail -n 1 bin/mutants.log)"
    grep LIVED bin/mutants.log || true
  done
  exit "$failed"
  ;;
mutation | leaves)
  SCOPEGATE_MONITORING="$(hack/monitoring/build.sh)"
  export SCOPEGATE_MONITORING
  if [[ "$1" == leaves ]]; then ARGS="-leaves ${CASES:-100000} ${ARGS:-}"; fi
  go run ./test/mutation ${ARGS:-}
  ;;
*)
  cat >&2 <<'USAGE'
make prove SUITE=NAME, where NAME is
  verdict      a million verdicts, and what is said on start-up, against ToolHive and the API server; 15 minutes
  policies     the guard's policies against the verdict, in 10,000 random namespaces with pods, and on the CRDs of every ToolHive release; more than an hour
  operator     ToolHive's operator beside the guard, without a node; minutes, once it is built. TOOLHIVE=v0.44.0 tests that release
  race         the same with 500 bad rollouts on busy cores, no manager for a minute, and 20 restarts of the API server; an hour. TOOLHIVE as above
  reliability  5,000 random schedules of faults, and all planned ones; hours
  upgrade      upgrade from a commit or a tag and roll back to it, in both modes; minutes. ARGS=v0.1.0 names it
  release      build a release of this commit, push it to a registry on this machine, and install it from there; minutes
  fuzz         10,000,000 arbitrary inputs for the reader of manifests, the test of scopes and the messages; more than an hour, CASES=1000 for fewer. ARGS='FuzzLint FuzzMessages' runs these targets only
  mutation     whether some suite finds each of more than 70 seeded bugs; hours
  mutants      whether the tests beside the code find what a mutation tester changes in it; hours. ARGS='scopes resolve' names packages
  leaves       whether some suite finds a change of one leaf of what users install; a minute or more for each of thousands, so choose. CASES=50 takes as many at random, ARGS='-run config/standalone/rbac -seed 2' others
USAGE
  echo "prove: there is no suite '${1:-}'" >&2
  exit 2
  ;;
esac

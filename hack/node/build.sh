#!/usr/bin/env bash
# Builds what `make e2e` runs besides the control plane and scopegate itself:
# kubelet, kube-scheduler and kube-proxy, the images of ToolHive's operator,
# proxy runner and vMCP server, and two small images of our own. They go into a
# per-user cache folder, once for the same sources; its path is the last line
# that is printed. All progress goes to standard error.
#
# KUBERNETES=1.35 chooses another minor, of those that are pinned in hack/controlplane/pins.
# SCOPEGATE_NODE, when set, is used instead and nothing is built.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)

if [[ -n "${SCOPEGATE_NODE:-}" ]]; then
  echo "$SCOPEGATE_NODE"
  exit 0
fi
if ! command -v go >/dev/null; then
  echo "node: no go on the PATH; install Go (see go.mod for the version) and try again" >&2
  exit 1
fi

# Kubernetes' commands are of the same sources as the control plane.
kubernetes=$root/hack/controlplane/pins
modfile=$kubernetes/go.mod
version=$(cd "$kubernetes" && go list -m -f '{{.Version}}' k8s.io/kubernetes)
if [[ "$version" != "v${KUBERNETES:-${version#v}}"* ]]; then
  modfile=$kubernetes/$KUBERNETES.mod
  if [[ ! -f "$modfile" ]]; then
    echo "node: Kubernetes $KUBERNETES is not pinned in hack/controlplane/pins" >&2
    exit 1
  fi
  version=$(cd "$kubernetes" && go list -modfile="$modfile" -m -f '{{.Version}}' k8s.io/kubernetes)
fi
# ToolHive's commands are built as its own releases are: in its own module, with
# its own versions of everything. authserver/go.sum has the sum of that module.
cd "$root/authserver"
go mod download github.com/stacklok/toolhive
read -r toolhive_version toolhive < <(go list -m -f '{{.Version}} {{.Dir}}' github.com/stacklok/toolhive)

cd "$root"
sum=$(cat hack/node/build.sh "${modfile%.mod}.sum" hack/image/*.go test/e2e/images/*/*.go "$toolhive/go.sum" | git hash-object --stdin | cut -c1-12)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/scopegate/node"
out="$cache/$version-toolhive-$toolhive_version-$sum"
if [[ -d "$out" ]]; then
  echo "$out"
  exit 0
fi
if ! mkdir -p "$cache" 2>/dev/null || [[ ! -w "$cache" ]]; then
  echo "node: cannot write to $cache; set XDG_CACHE_HOME to a folder that you can write to" >&2
  exit 1
fi
# Built beside its place and moved there when it is complete: an interrupted build leaves
# nothing that a later run would take for complete.
work=$(mktemp -d "$cache/building.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'echo "node: interrupted; what Go has compiled so far is kept, run it again to go on" >&2; exit 130' INT TERM
export CGO_ENABLED=0

# compile FOLDER_OF_MODULE FLAGS LDFLAGS PACKAGE... puts commands into $work/bin.
compile() {
  local module=$1 flags=$2 ldflags=$3
  shift 3
  echo "node: building ${*##*/} from source, once on this machine; it takes some minutes" >&2
  (cd "$module" && go build $flags -trimpath -buildvcs=false -ldflags "-s -w $ldflags" -o "$work/bin/" "$@") >&2
}

IFS=. read -r major minor _ <<<"${version#v}"
stamp=k8s.io/component-base/version
compile "$kubernetes" "-modfile=$modfile" "-X $stamp.gitVersion=$version -X $stamp.gitMajor=$major -X $stamp.gitMinor=$minor" \
  k8s.io/kubernetes/cmd/{kubelet,kube-scheduler,kube-proxy}
compile "$toolhive" "" "-X github.com/stacklok/toolhive/pkg/versions.Version=$toolhive_version" ./cmd/{thv-operator,thv-proxyrunner,vmcp}
compile . "" "" ./test/e2e/images/{pause,mcpserver}

# pack LICENCE VERSION COMMAND... makes images of commands.
pack() {
  local licence=$1 label=$2 programs=()
  shift 2
  for name in "$@"; do programs+=("$name=$work/bin/$name"); done
  (cd hack/image && go run . --out "$work/images" --licence "$licence" --version "$label" "${programs[@]}") >&2
  (cd "$work/bin" && rm "$@")
}
echo "node: packing images" >&2
pack "$toolhive/LICENSE" "$toolhive_version" thv-operator thv-proxyrunner vmcp
pack "$root/LICENSE" test pause mcpserver

chmod 755 "$work"
# Another build may have been first.
[[ -d "$out" ]] || mv "$work" "$out"
echo "$out"

# All tasks of a developer. `make help` lists the targets.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

TOOL := go tool -modfile=hack/tools/go.mod
# The control plane's binaries; the first use provides them (see the target). A plain
# assignment fails if the build fails; within export it would not.
ASSETS = KUBEBUILDER_ASSETS="$$(hack/controlplane/build.sh)"; export KUBEBUILDER_ASSETS
# Flags for go test, for instance TESTFLAGS='-run Ratchet -v'.
TESTFLAGS ?=
# With required, a test that needs the source of a ToolHive release fails without it.
export SCOPEGATE_TOOLHIVE_SOURCES ?= required
# The same flags for programs, tests and linters, so shared packages are compiled once.
export CGO_ENABLED ?= 0
export GOFLAGS := $(shell go env GOFLAGS) -trimpath

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/manager and bin/kubectl-scopegate.
	go build -o bin/ ./cmd/manager ./cmd/kubectl-scopegate

.PHONY: run
run: ## Show the main job on a real control plane: the guard, then standalone mode. ARGS=--exit exits after the last step; --guard or --standalone chooses one part.
	@$(ASSETS)
	go build -o bin/ ./cmd/devcluster ./cmd/kubectl-scopegate
	# go run would forward neither SIGTERM nor the exit code.
	exec bin/devcluster $(ARGS)

.PHONY: test
# The control planes have memory to spare, and collecting less garbage saves a sixth of
# the processor time.
test: export GOGC ?= 400
test: ## Run all tests against a real control plane. TESTFLAGS are passed to go test.
	@$(ASSETS)
	# The other modules run beside this one, because each suite also waits. make verify
	# runs vet.
	suites="go test -vet=off -timeout=30m"
	for module in compat test/release/gitops authserver hack/image; do (cd $$module && $$suites -p 1 $(TESTFLAGS) ./...); done & others=$$!
	failed=0
	# The longest suites come first, so that none of them runs alone at the end.
	$$suites -p 3 $(TESTFLAGS) ./test/reliability ./test/release/packaging ./test/guard/... ./test/manager/... ./... || failed=1
	wait $$others || failed=1
	exit $$failed

.PHONY: monitoring
monitoring: ## Test the alerts and the dashboard with the real Prometheus. The first run builds it, in minutes.
	@$(ASSETS)
	SCOPEGATE_MONITORING="$$(hack/monitoring/build.sh)"; export SCOPEGATE_MONITORING
	go test $(TESTFLAGS) ./test/release/monitoring

# Runs the end-to-end tests on the cluster of KUBECONFIG or CONTEXT, which must already
# have the images. If neither is set, the tests start a cluster of one node.
define E2E
if [[ -z "$${KUBECONFIG:-}$${CONTEXT:-}" ]]; then
  # The cluster is on this machine, so the images are for its platform only.
  $(MAKE) --no-print-directory image IMAGEFLAGS=--local
  $(ASSETS)
  SCOPEGATE_NODE="$$(hack/node/build.sh)"; export SCOPEGATE_NODE
fi
exec go test -tags=e2e -count=1 -timeout=3h -failfast -v
endef

.PHONY: e2e
e2e: dist ## Run the end-to-end tests on a real kubelet, in minutes. Needs Linux and root, or an existing cluster in CONTEXT. TESTFLAGS='-run Guard' chooses tests.
	@$(E2E) ./test/e2e $(TESTFLAGS)

.PHONY: e2e-up
e2e-up: ## Start a real cluster of one node, and keep it running. ARGS=--toolhive installs ToolHive's operator. KIND=v1.35.1 starts a kind cluster of that version instead, with the images.
	@if [[ -n "$(KIND)" ]]; then
	  $(MAKE) --no-print-directory dist
	  $(MAKE) --no-print-directory image IMAGEFLAGS=--local
	  exec hack/kind.sh "$(KIND)"
	fi
	$(ASSETS)
	SCOPEGATE_NODE="$$(hack/node/build.sh)"; export SCOPEGATE_NODE
	# go run would not forward signals.
	go build -o bin/ ./test/e2e/cluster
	exec bin/cluster $(ARGS)

.PHONY: matrix
matrix: ## Run the tests that depend on the API server on Kubernetes 1.30 to 1.37, and print the table of docs/compatibility.md. Each minor takes 5 minutes once it is built; KUBERNETES=1.35 chooses one.
	@hack/matrix.sh

.PHONY: prove
prove: ## Run a long experiment, of minutes or hours. SUITE= chooses verdict, policies, operator, race, reliability, upgrade, release, fuzz, mutation, mutants or leaves. CASES sets the number of cases, TOOLHIVE a release of ToolHive, ARGS the release to upgrade from.
	@$(ASSETS)
	CASES="$(CASES)" ARGS="$(ARGS)" TESTFLAGS="$(TESTFLAGS)" TOOLHIVE="$(TOOLHIVE)" hack/prove.sh "$(SUITE)"

.PHONY: image
image: ## Build OCI archives of the manager and the auth server, for amd64 and arm64, into bin/images.
	@out="$$PWD/bin/images"
	licence="$$PWD/LICENSE"
	programs="manager=$$PWD/cmd/manager authserver=$$PWD/authserver"
	version="$${VERSION:-$$(git describe --tags --always --dirty)}"
	revision="$$(git rev-parse HEAD)"
	epoch="$$(git log -1 --format=%ct)"
	cd hack/image
	go run . $(IMAGEFLAGS) --out "$$out" --licence "$$licence" --version "$$version" --revision "$$revision" --epoch "$$epoch" $$programs

.PHONY: bench
bench: ## Run the benchmarks, and print the tables of docs/dev/benchmarks.md. Each takes minutes. BENCH= chooses one: create, webhook, lint, lint-pairs, lint-document, coldstart, fanout, edit, lists, tenant or rest.
	@$(ASSETS)
	go run ./test/bench $(BENCH)

.PHONY: controlplane
controlplane: ## Provide kube-apiserver, kube-controller-manager, etcd and kubectl, and print their folder. KUBERNETES=1.35 chooses a minor.
	@hack/controlplane/build.sh

.PHONY: generate
generate: ## Regenerate deepcopy, CRDs, RBAC, the generated docs and the linter's rule ids.
	$(TOOL) controller-gen object crd paths=./api/... output:crd:dir=config/crd
	$(TOOL) controller-gen rbac:roleName=scopegate paths=./internal/controller output:rbac:dir=config/standalone/rbac
	$(TOOL) controller-gen rbac:roleName=scopegate-guard paths=./internal/guard/... output:rbac:dir=config/guard/rbac
	$(TOOL) crd-ref-docs --source-path=api --config=docs/.crd-ref-docs.yaml --templates-dir=hack/docs/api --renderer=markdown --output-path=docs/api.md --log-level=ERROR
	go run ./hack/docs
	go test -vet=off ./cmd/kubectl-scopegate -run TestReference -update

.PHONY: format
format: ## Format the code.
	$(TOOL) golangci-lint-kube-api-linter fmt

.PHONY: lint
# In test/release/gitops only vet runs: three files, whose dependencies take the linter
# ten minutes.
lint: ## Check the code, the API types against the conventions of Kubernetes, and the workflows.
	$(TOOL) actionlint .github/workflows/*.yaml
	$(TOOL) golangci-lint-kube-api-linter run
	root="$$PWD"
	for module in authserver compat hack/image; do
	  (cd $$module && go tool -modfile="$$root/hack/tools/go.mod" golangci-lint-kube-api-linter run --config="$$root/.golangci.yaml")
	done
	(cd test/release/gitops && go vet ./...)

.PHONY: verify
verify: ## Lint, and check generated files, the format, go.mod and the compatibility of the CRDs.
	hack/verify.sh
	hack/crdify.sh

.PHONY: clean
clean: ## Remove bin. The control plane's cache stays.
	rm -rf bin

# Packaging and releases.
.PHONY: dist
dist: ## Write the manifests that users install into dist. VERSION is the tag of the images, REGISTRY the prefix of their names, MODE the mode of the guard: warn, enforce or strict.
	@VERSION="$(VERSION)" REGISTRY="$(REGISTRY)" MODE="$(MODE)" hack/dist.sh

.PHONY: release
release: ## Build a release into dist: binaries, images, SBOMs, manifests, chart, krew manifest, checksums. With REGISTRY, push images, SBOMs and chart there.
	@VERSION="$(VERSION)" REGISTRY="$(REGISTRY)" URL="$(URL)" MODE="$(MODE)" hack/release.sh


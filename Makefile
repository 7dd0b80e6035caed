# Commands of this repository. Every target does its own set-up; `make help` lists them.

PYTHON ?= python3
BIN := .venv/bin
# Arguments of `budgetd serve`, as in: make run ARGS="--log-level debug"
ARGS ?=
# What pytest runs, and its other arguments, as in: make test TESTS="tests/domain -k window"
TESTS ?= tests
# Test processes; auto is one for each core.
WORKERS ?= auto
# How many random batches `make batches-drill` has.
BATCHES ?= 100000
# Folders whose drills compare results and measure no time: they run in parallel, the others one after another.
COMPARING := tests/authority tests/domain tests/ledger tests/usage
# A CSV file of LLM calls for the demo; empty: it draws one from a fixed seed.
TRACE ?= $(wildcard ../shared/data/azure_llm_trace_2023_conv.csv)
# A running server for the demo, as host:port; empty: it starts its own.
ADDRESS ?=

PIP := -m pip --quiet --disable-pip-version-check
PROTOS := $(wildcard proto/budgetd/v1/*.proto)
# The one file that declares the service: only it needs gRPC stubs.
SERVICE_PROTO := proto/budgetd/v1/budget_service.proto
RELEASED_CONTRACT := proto/released.binpb
UV_VERSION := 0.13.9

# Stamps for what is installed: no pip runs when nothing changed. Each needs the one before it, in one environment:
# what the server runs on, our two distributions, editable, and what else development needs.
RUNTIME := .venv/.installed-runtime
EDITABLE := .venv/.installed-editable
DEV := .venv/.installed-dev
GENERATOR := .venv/.installed-generator
PARITY := .venv-parity/.installed-editable
PARITY_NEWEST := .venv-parity-newest/.installed-editable

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

.PHONY: help
help: ## List these targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-17s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup: $(DEV) ## Make .venv: the hashed locks, and both distributions, editable.

.PHONY: run
run: $(EDITABLE) ## Serve on 127.0.0.1:50051 until interrupted; ARGS goes to `budgetd serve`.
	@$(BIN)/budgetd serve $(ARGS)

.PHONY: demo
demo: $(EDITABLE) ## Replay a trace of LLM calls (TRACE=file.csv) against a server of its own or at ADDRESS=host:port.
	@TRACE='$(TRACE)' ADDRESS='$(ADDRESS)' $(BIN)/python -m examples.demo

.PHONY: test
test: setup ## Run the tests in parallel, without the drills; TESTS chooses, WORKERS sets the processes.
	$(BIN)/pytest -m "not drill" -n $(WORKERS) --dist worksteal $(TESTS)

.PHONY: drill
drill: setup ## Run the long fault drills: kill -9 under load, full disks, clocks that step back.
ifeq ($(TESTS),tests)
	$(BIN)/pytest -m drill -n $(WORKERS) --dist worksteal $(COMPARING)
	$(BIN)/pytest -m drill $(TESTS) $(addprefix --ignore=,$(COMPARING))
else
	$(BIN)/pytest -m drill $(TESTS)
endif

.PHONY: batches-drill
batches-drill: setup ## Let 100,000 random batches come to the same as their commands one by one; BATCHES sets how many.
	BUDGETD_DRILL_BATCHES=$(BATCHES) $(BIN)/pytest -m drill -n $(WORKERS) --dist worksteal tests/ledger/test_batches.py

.PHONY: parity
parity: $(PARITY) ## Compare our BudgetManager with LiteLLM's, call by call, in an environment of its own.
	LITELLM_LOCAL_MODEL_COST_MAP=True .venv-parity/bin/pytest -m "not drill" tests/parity

.PHONY: parity-newest
parity-newest: $(PARITY_NEWEST) ## Try LiteLLM's newest class against the self-hosted protocol, in an environment of its own.
	LITELLM_LOCAL_MODEL_COST_MAP=True .venv-parity-newest/bin/pytest -m "not drill" tests/parity/hosted tests/parity/pricing_grid \
		--ignore=tests/parity/hosted/test_hosted_differential.py

.PHONY: parity-drill
parity-drill: $(PARITY) ## Let larger crowds of LiteLLM's class charge a server that loses power again and again.
	LITELLM_LOCAL_MODEL_COST_MAP=True .venv-parity/bin/pytest -m drill tests/parity --ignore=tests/parity/pricing_grid

.PHONY: prices-drill
prices-drill: $(PARITY) $(PARITY_NEWEST) ## Compare all prices with those of both LiteLLMs, of which `make parity` tries a sample.
	LITELLM_LOCAL_MODEL_COST_MAP=True .venv-parity/bin/pytest -m drill tests/parity/pricing_grid
	LITELLM_LOCAL_MODEL_COST_MAP=True .venv-parity-newest/bin/pytest -m drill tests/parity/pricing_grid

.PHONY: lint
lint: setup ## Check Python with ruff, the contract with buf, the Dockerfile with hadolint.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	$(BIN)/hadolint Dockerfile

.PHONY: types
types: setup ## Check the types of server, client, tests, bench and examples with mypy --strict.
	$(BIN)/mypy

.PHONY: check
check: lint types test ## All that has to pass before a change lands: lint, types, test.

.PHONY: format
format: setup ## Format Python and the contract, and fix what ruff can fix by itself.
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format
	$(BIN)/buf format --write

.PHONY: proto
proto: $(GENERATOR) ## Generate the Python code of the contract into clients/python.
	@$(call generate,clients/python)

.PHONY: proto-check
proto-check: $(GENERATOR) ## Fail if the committed generated code is not what the contract gives.
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && $(call generate,"$$fresh") \
		&& diff -ru -x __pycache__ clients/python/budgetd/v1 "$$fresh/budgetd/v1" \
		&& echo 'generated code is up to date' \
		|| { echo 'generated code is stale: run `make proto`' >&2; exit 1; }

.PHONY: breaking
breaking: setup ## Fail if the contract breaks callers of the last released one (proto/released.binpb).
	@test -f $(RELEASED_CONTRACT) || { echo '$(RELEASED_CONTRACT) is missing, so nothing can be compared:' \
		'run `make release-contract` on the commit of the last release' >&2; exit 1; }
	$(BIN)/buf breaking --against $(RELEASED_CONTRACT)

.PHONY: release-contract
release-contract: setup ## Make today's contract the released one, which later ones may not break.
	$(BIN)/buf build --exclude-source-info -o $(RELEASED_CONTRACT)

.PHONY: bench
bench: setup ## Measure throughput and latency, each together with what it is compared with.
	@$(BIN)/python -m bench

.PHONY: bench-large
bench-large: setup ## Measure the rows with a million budgets and more; takes long.
	@$(BIN)/python -m bench --large

.PHONY: image-check
image-check: setup ## Rehearse the Dockerfile's steps without Docker: build, install, serve, stop.
	@$(BIN)/python -m tests.packaging.rehearse_image --python "$$(command -v $(PYTHON))"

.PHONY: wheels-check
wheels-check: setup ## Build both wheels, install them into empty environments, old and new, and run programs on them.
	@$(BIN)/python -m tests.packaging.rehearse_wheels --python "$$(command -v $(PYTHON))"

.PHONY: lock
lock: ## Compile the locks again from the pyproject files; UPGRADE=1 takes the newest versions allowed.
	@tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT \
		&& $(PYTHON) -m venv "$$tools" && "$$tools/bin/python" $(PIP) install uv==$(UV_VERSION) \
		&& $(call compile,runtime,requirements.lock) && $(call compile,build,requirements-build.lock) \
		&& $(call compile,dev,requirements-dev.lock) && $(call compile,proto,requirements-proto.lock,--no-deps) \
		&& $(call compile,oldest,requirements-oldest.lock) \
		&& $(call compile,parity,requirements-parity.lock,--constraint requirements.lock) \
		&& $(call compile,parity-newest,requirements-parity-newest.lock)

.PHONY: clean
clean: ## Remove environments, caches and built files; ledgers (*.db) stay.
	rm -rf .venv .venv-parity .venv-parity-newest .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Locks dependency group $(1) into the file $(2), with more arguments $(3): for every system, with hashes, without
# addresses, and without the two distributions of this repository, which have neither.
compile = "$$tools/bin/uv" pip compile --quiet $(if $(UPGRADE),--upgrade) --group $(1) --universal --python-version 3.11 \
	--generate-hashes --no-header --no-emit-package budgetd --no-emit-package budgetd-server $(3) -o $(2)

define make-venv
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
@test -x $(1)/bin/pip || { echo 'making $(1)'; $(PYTHON) -m venv $(1); }
endef

$(RUNTIME): requirements.lock requirements-build.lock
	$(call make-venv,.venv)
	@echo "installing what the server runs on: $$(grep -c == $<) packages of $<, about 110 MB"
	@$(BIN)/python $(PIP) install --require-hashes $(addprefix -r ,$^)
	@touch $@

$(EDITABLE): $(RUNTIME) server/pyproject.toml clients/python/pyproject.toml
	@echo 'installing clients/python and server, editable'
	@$(BIN)/python $(PIP) install --no-deps --no-build-isolation -e clients/python -e server
	@touch $@

$(DEV): requirements-dev.lock $(EDITABLE)
	@echo "installing what development needs: $$(grep -c == $<) packages of $<, about 220 MB more"
	@$(BIN)/python $(PIP) install --require-hashes -r $<
	@touch $@

# Without what it says it needs: it asks for an older protobuf than the server's, and runs on that one, too.
$(GENERATOR): requirements-proto.lock $(RUNTIME)
	@echo 'installing $<'
	@$(BIN)/python $(PIP) install --no-deps --require-hashes -r $<
	@touch $@

.venv-parity/.installed-lock: requirements-parity.lock
	$(call make-venv,.venv-parity)
	@echo 'installing $<'
	@.venv-parity/bin/python $(PIP) install --require-hashes -r $<
	@touch $@

$(PARITY): .venv-parity/.installed-lock server/pyproject.toml clients/python/pyproject.toml
	@echo 'installing clients/python and server, editable, next to LiteLLM'
	@.venv-parity/bin/python $(PIP) install --no-deps --no-build-isolation -e clients/python -e server
	@touch $@

.venv-parity-newest/.installed-lock: requirements-parity-newest.lock
	$(call make-venv,.venv-parity-newest)
	@echo 'installing $<'
	@.venv-parity-newest/bin/python $(PIP) install --require-hashes -r $<
	@touch $@

$(PARITY_NEWEST): .venv-parity-newest/.installed-lock server/pyproject.toml clients/python/pyproject.toml
	@echo 'installing clients/python and server, editable, next to the newest LiteLLM'
	@.venv-parity-newest/bin/python $(PIP) install --no-deps --no-build-isolation -e clients/python -e server
	@touch $@

# Writes the generated package below the folder $(1). protoc finds its plugins on PATH.
define generate
mkdir -p $(1)/budgetd/v1 \
&& PATH="$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -I proto \
	--python_out=$(1) --mypy_out=quiet:$(1) $(PROTOS) \
&& PATH="$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -I proto \
	--grpc_python_out=$(1) --mypy_grpc_out=quiet:$(1) $(SERVICE_PROTO) \
&& printf '"""The contract budgetd.v1, generated from proto/budgetd/v1 by `make proto`; not written by hand."""\n' \
	> $(1)/budgetd/v1/__init__.py
endef

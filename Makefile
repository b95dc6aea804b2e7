# The two commands of a newcomer are `make demo` and `make test`. Everything else is for those who
# change Quire. Every target sets up what it needs first; a second run does only what changed.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORE := src/quire/_core.abi3.so
PART ?=
FILE ?=
JOBS ?= auto

# Compiled Rust lives outside the checkout, so that a second clone builds in seconds.
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/quire/target
export PYTHONHASHSEED ?= 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_QUIET := 1

RUST := $(shell find crates -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock

.PHONY: help setup demo test test-rust bench check long clean lock

help: ## Show the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(VENV)/ok-run $(CORE) ## Make .venv with the `quire` command and build the core.

$(VENV)/ok-run: requirements/run.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Quire needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	@command -v cargo >/dev/null || { echo "Quire needs Rust (cargo) to build its core"; exit 1; }
	@echo "setup: Python environment"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --require-hashes -r requirements/run.txt
	@touch $@

$(VENV)/ok-dev: requirements/dev.txt requirements/ray.txt $(VENV)/ok-run
	@echo "setup: test and lint tools"
	@$(BIN)/pip install -q --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install -q --require-hashes -r requirements/ray.txt || \
	  echo "setup: there is no Ray for this platform; its test is skipped"
	@touch $@

$(CORE): $(RUST) pyproject.toml $(VENV)/ok-run
	@echo "setup: Rust core (minutes the first time, seconds later)"
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --release --locked -q
	@touch $@

demo: setup ## Run the main jobs on a real file: PART=A, B, C, D, slots or all; FILE=path for your own file.
	@$(BIN)/python -m demo --part "$(PART)" $(if $(FILE),--file "$(FILE)")

test: setup $(VENV)/ok-dev test-rust ## Run all tests.
	@$(BIN)/pytest -n $(JOBS) --dist worksteal

test-rust: $(VENV)/ok-run
	@cargo test --release --locked -q -p quire-disk -p quire-kernel -p quire-net -p quire-proof

bench: setup ## Measure against limits taken in the same run; SIZE=1g, JSON in benchmarks/results.
	@cargo build --release --locked -q -p quire-net --example bare_stream
	@cargo build --release --locked -q -p quire-kernel --example coding_speed --example poseidon2_speed
	@cargo build --release --locked -q -p quire-proof --example prove_speed
	@$(BIN)/python -m benchmarks $(BENCH)

check: setup $(VENV)/ok-dev ## Lint, types, layers: what must be clean before a commit.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@cargo clippy --release --locked -q --workspace --all-targets -- -D warnings
	@cargo fmt --check
	@$(BIN)/pytest tests/tidy

long: setup $(VENV)/ok-dev ## Thousands of simulated seeds, storms of kills, a million inputs a decoder.
	@$(BIN)/pip install -q --require-hashes -r requirements/fuzz.txt
	@$(BIN)/quire sim --scenario diagram-a --runs 5000 --quiet
	@$(BIN)/quire sim --scenario churn --runs 1000 --quiet
	@$(BIN)/quire sim --scenario protect --runs 1000 --quiet
	@$(BIN)/quire sim --scenario dispersal --runs 500 --quiet
	@$(BIN)/quire sim --scenario market --runs 500 --quiet
	@$(BIN)/quire sim --scenario aggregator --runs 1000 --quiet
	@PYTHONPATH=src:tests $(BIN)/python -m support.submit_chaos 1000
	@PYTHONPATH=src:tests $(BIN)/python tests/contracts/long_walk.py 0 500 400
	@PYTHONPATH=src:tests $(BIN)/python tests/props/long_channels.py 0 20000
	@PYTHONPATH=src:tests $(BIN)/python -m support.link_model 0 20000
	@QUIRE_LINK_KILLS=10 QUIRE_RANGE_BYTES=1073741824 $(BIN)/pytest tests/cluster/test_retail_survives_kill.py tests/cluster/test_retail_reading.py
	@QUIRE_FAILURES=10 QUIRE_EXAMPLES=100 \
	  $(BIN)/pytest tests/cluster/test_rolling_failures.py tests/api/test_schemathesis.py
	@QUIRE_STORM_KILLS=200 QUIRE_KILLS=2000 QUIRE_UPLOAD_KILLS=300 QUIRE_DAMAGES=500 \
	  $(BIN)/pytest tests/cluster/test_kill_storm.py tests/cluster/test_store_survives_kill.py \
	  tests/cluster/test_resumed_uploads_survive_kill.py tests/cluster/test_damaged_files.py
	@PYTHONPATH=src:tests $(BIN)/python tests/fuzz/run_all.py 1000000

lock: ## Renew the lock files (needs uv).
	@for set in run dev fuzz bench ray; do \
	  uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q \
	    pyproject.toml requirements/$$set.in -o requirements/$$set.txt; \
	done
	@uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q \
	  requirements/contracts.in -o requirements/contracts.txt
	@cargo update --workspace

clean: ## Remove the environment and the built core of this checkout.
	@rm -rf $(VENV) $(CORE)

SHELL := /bin/bash
VENV := target/venv
PY := $(VENV)/bin/python
ADDON := bindings-node/sublet.node
BENCH_ADDON := target/sublet-bench.node
CORE_SOURCES := Cargo.toml Cargo.lock $(shell find core policies cli/src cli/Cargo.toml -type f)
NODE_MODULES := bindings-node/node_modules/.package-lock.json
EXAMPLE := examples/agency/node
EXAMPLE_MODULES := $(EXAMPLE)/node_modules/.package-lock.json
export PATH := $(CURDIR)/$(VENV)/bin:$(CURDIR)/target/tools/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
export npm_config_update_notifier := false
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

# Sizes of `make test`. `make test-long` has the large ones.
# Random programs of the differential test, and forks of a process.
SUBLET_CASES ?= 5000
SUBLET_FORKS ?= 20
# Random policies of an author. Six bundles have 240 of them.
SUBLET_AUTHOR_RULES ?= 1000
# Directory changes under eight readers; every twentieth change reloads the policies.
SUBLET_CHANGES ?= 300
SUBLET_FUZZ_SECONDS ?= 60
# Counting: random operations beside a model for each seed, kills in the middle of consumes, and
# changes that seven other processes must see at their next check.
SUBLET_STEPS ?= 10000
SUBLET_KILLS ?= 15
SUBLET_ROUNDS ?= 100
# Random steps over all verbs that change the directory or the bill, beside a model, for each seed.
SUBLET_WALK ?= 1000
# Interleavings of a group commit that each of its tests tries.
SUBLET_INTERLEAVINGS ?= 2000
# Seconds for which eight processes count on one store, while one of them is killed every other second.
SUBLET_EXACT_SECONDS ?= 60
# Bits that are flipped in a store, and days of simulated traffic.
SUBLET_FLIPS ?= 60
SUBLET_DAYS ?= 200
# Tries of each verb while the process that holds the store's lock is stopped.
SUBLET_STOPS ?= 1
# Seconds of load on the worked example, while one of its eight workers is killed every second.
SUBLET_LOAD_SECONDS ?= 10
export SUBLET_CASES SUBLET_FORKS SUBLET_CHANGES SUBLET_STEPS SUBLET_KILLS SUBLET_ROUNDS
export SUBLET_WALK SUBLET_LOAD_SECONDS SUBLET_EXACT_SECONDS SUBLET_FLIPS SUBLET_DAYS
export SUBLET_INTERLEAVINGS SUBLET_STOPS SUBLET_AUTHOR_RULES
# Files of tests in Python and in Node that run at the same time. Most of them wait, for locks and for other processes.
JOBS ?= 4
# Files that measure durations. In Python they have the mark `alone`.
ALONE := $(addprefix tests/node/,exits.test.mjs stopped.test.mjs waiting.test.mjs)
# Numbers of main accounts in `make bench`; `make bench SIZES=1,100` is the quick one.
SIZES ?= 1,100,1000,10000
export SIZES

.DEFAULT_GOAL := help
.PHONY: help demo example build python node check-single-build typecheck test test-rust test-python \
  test-node test-long test-faults fuzz bench fmt lint deny docs clean

help: ## lists these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-20s %s\n", $$1, $$2 }' Makefile
	@echo "Before the first target, install Rust, Python 3.10 or later (with venv) and Node 20 or later."

demo: python node ## builds the bindings and asks a sample agency the questions of a help page
	@$(PY) tests/demo/demo.py

example: python node $(VENV)/.example $(EXAMPLE_MODULES) ## runs the worked example on ports 8000 and 8001
	examples/agency/run.sh

build: ## builds the library, the command, the Node addon and the programs of tests and benches
	cargo build --release --locked --workspace --exclude sublet-python

$(VENV)/.build: requirements-build.txt
	python3 -m venv $(VENV)
	$(PY) -m pip install --quiet -r requirements-build.txt
	touch $@

$(VENV)/.ready: $(VENV)/.build requirements-dev.txt
	$(PY) -m pip install --quiet -r requirements-dev.txt
	touch $@

$(NODE_MODULES): bindings-node/package-lock.json
	cd bindings-node && npm ci --silent
	touch $@

$(VENV)/.bench: $(VENV)/.ready benches/python/requirements-bench.txt
	$(PY) -m pip install --quiet -r benches/python/requirements-bench.txt
	touch $@

$(VENV)/.example: $(VENV)/.ready examples/agency/requirements.txt
	$(PY) -m pip install --quiet -r examples/agency/requirements.txt
	touch $@

$(EXAMPLE_MODULES): $(EXAMPLE)/package-lock.json
	cd $(EXAMPLE) && npm ci --silent
	touch $@

# maturin builds the wheel because it tells pyo3 of its interpreter. Therefore `build` leaves it out.
$(VENV)/.wheel: $(VENV)/.build $(CORE_SOURCES) $(shell find bindings-python -name __pycache__ -prune -o -type f -print)
	$(PY) -m pip install --quiet --no-build-isolation --force-reinstall --no-deps ./bindings-python
	touch $@

python: $(VENV)/.wheel ## builds the wheel and installs it into target/venv

$(ADDON): $(CORE_SOURCES) $(shell find bindings-node -name node_modules -prune -o -type f ! -name sublet.node -print)
	node bindings-node/build.js
	touch $@

node: $(ADDON) ## builds the Node addon

# The empty calls with which the benchmark in Node compares. A test runs the benchmark at a tiny size.
$(BENCH_ADDON): $(ADDON)
	node bindings-node/build.js --bench
	touch $@

# Cedar costs minutes of CPU, so wheel, addon, command and tests must share one build of it.
check-single-build: build ## fails if a package or a test compiles Cedar again
	@for package in sublet-cli sublet-node sublet-tests; do \
	  if cargo build --release --locked -p $$package --message-format short -v 2>&1 \
	    | grep -q 'Compiling cedar-policy-core'; then echo "$$package compiles Cedar again"; exit 1; fi; done
	@if cargo test --release --locked --workspace --exclude sublet-python --no-run --message-format short -v 2>&1 \
	  | grep -q 'Compiling cedar-policy-core'; then echo "the tests compile Cedar again"; exit 1; fi
	@echo "one build of Cedar serves all packages"

typecheck: python node $(NODE_MODULES) $(VENV)/.ready $(VENV)/.example ## mypy, pyright, stubtest and tsc on stubs, tests and examples
	MYPYPATH=examples/agency $(PY) -m mypy --strict tests/python tests/demo/demo.py examples/agency/office
	cd docs && ../$(PY) -m mypy --strict generate.py sources.py words.py
	$(PY) bindings-python/stubs.py --check
	$(PY) bindings-python/shapes.py --check
	$(PY) -m mypy.stubtest sublet._sublet
	$(PY) -m pyright tests/python tests/demo/demo.py examples/agency/office
	@cd target && venv/bin/python -m pyright --verifytypes sublet --ignoreexternal > stubs.txt || { cat stubs.txt; exit 1; }
	cd bindings-node && node_modules/.bin/tsc --noEmit --strict --target es2022 --module nodenext ../tests/node/types.ts

test: check-single-build typecheck test-rust test-python test-node ## every suite

test-rust: build ## the suites in Rust, the command's, and the tests of the shipped policies
	cargo test --release --locked --workspace --exclude sublet-python
	cargo test --release --locked --manifest-path tests/interleavings/Cargo.toml --target-dir target/interleavings
	target/release/sublet check policies
	target/release/sublet test --strict policies

test-python: build python node $(BENCH_ADDON) $(NODE_MODULES) $(VENV)/.ready $(VENV)/.example $(EXAMPLE_MODULES) ## the suites in Python
	$(PY) -m pytest -q --durations=10 -n $(JOBS) --dist loadfile -m 'not alone' tests/python
	$(PY) -m pytest -q --durations=10 -m alone tests/python

test-node: build python node $(NODE_MODULES) ## the suites in Node
	node --test --test-concurrency=$(JOBS) $(filter-out $(ALONE),$(wildcard tests/node/*.test.mjs))
	node --test --test-concurrency=1 $(ALONE)

test-long: export SUBLET_CASES := 1000000
test-long: export SUBLET_FORKS := 1000
test-long: export SUBLET_CHANGES := 10000
test-long: export SUBLET_FUZZ_SECONDS := 3600
test-long: export SUBLET_STEPS := 1000000
test-long: export SUBLET_KILLS := 1000
test-long: export SUBLET_ROUNDS := 10000
test-long: export SUBLET_WALK := 100000
test-long: export SUBLET_LOAD_SECONDS := 60
test-long: export SUBLET_EXACT_SECONDS := 600
test-long: export SUBLET_FLIPS := 5000
test-long: export SUBLET_DAYS := 800
test-long: export SUBLET_STOPS := 20
test-long: export SUBLET_INTERLEAVINGS := 1000000
test-long: export SUBLET_AUTHOR_RULES := 100000
test-long: test fuzz test-faults ## every suite at its large size (hours)

# Each fault is looked for with 100 bundles, whatever the size of the other tests.
test-faults: ## plants faults in a copy of the evaluator, and expects the tests to find each one
	SUBLET_AUTHOR_RULES=4000 SUBLET_CASES=5000 tests/planted_faults.py

# New corpus entries are written to `target/found`. An input on which the engine and Cedar disagree
# is written to `target/found-*`.
fuzz: ## compares the engine with Cedar on inputs that coverage guides, for SUBLET_FUZZ_SECONDS
	fuzz/build.sh
	@mkdir -p target/found
	target/release/fuzz_plain -max_total_time=$(SUBLET_FUZZ_SECONDS) -max_len=1024 \
	  -artifact_prefix=target/found- target/found fuzz/corpus/plain

bench: build python node $(BENCH_ADDON) $(VENV)/.bench ## measures what calls cost, beside peers: one table, and target/bench.json
	cd benches/node && npm ci --silent
	benches/run

fmt: $(VENV)/.ready ## formats Rust and Python
	cargo fmt
	cargo fmt --manifest-path tests/interleavings/Cargo.toml
	cargo fmt --manifest-path benches/limitador/Cargo.toml
	$(PY) -m ruff check --quiet --fix .

lint: $(VENV)/.ready $(NODE_MODULES) ## formatting, clippy, rustdoc, ruff and eslint
	cargo fmt --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings
	cargo clippy --release --locked -p sublet -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps -p sublet -p sublet-cli
	$(PY) -m ruff check .
	bindings-node/node_modules/.bin/eslint --config bindings-node/eslint.config.mjs .

# These tools are no part of `.ci/run`, because to compile each of them takes minutes.
DENY_VERSION := 0.20.2
MDBOOK_VERSION := 0.5.4
target/tools/.cargo-deny-$(DENY_VERSION):
	cargo install cargo-deny --version $(DENY_VERSION) --locked --debug --root target/tools
	touch $@

target/tools/.mdbook-$(MDBOOK_VERSION):
	cargo install mdbook --version $(MDBOOK_VERSION) --no-default-features --locked --debug --root target/tools
	touch $@

deny: target/tools/.cargo-deny-$(DENY_VERSION) ## licenses, sources and bans of the dependencies
	cargo deny --locked check bans licenses sources

docs: python build $(VENV)/.ready target/tools/.mdbook-$(MDBOOK_VERSION) ## builds the documents as a site in target/docs and checks their links
	$(PY) docs/generate.py --check
	$(PY) -m pytest -q tests/python/test_docs.py
	mdbook build docs --dest-dir ../target/docs

clean: ## removes everything that was built
	rm -rf target bindings-node/node_modules bindings-node/sublet.node $(EXAMPLE)/node_modules benches/node/node_modules

# make demo   builds what it needs and asks a sample agency the help page's questions, from Python and Node
# make example  the worked example of examples/agency: two services on ports 8000 and 8001, until Ctrl-C
# make test   every suite: Rust, the command, Python, Node, types
# make soak   the same suites at the sizes that the issues name (hours)
# make bench  what a check costs, beside Cedar itself and beside rules written by hand: one table, and target/bench.json
# make fuzz   the engine against Cedar on inputs that coverage guides, for SUBLET_FUZZ_SECONDS
# make lint   formatting, clippy, documentation
# make deny   licenses, sources and bans of what the tree depends on (cargo-deny, which it installs into target/tools)
# Nothing needs to be installed before but Rust, Python 3.10 or later (with venv) and Node 20 or later.

SHELL := /bin/bash
VENV := target/venv
PY := $(VENV)/bin/python
EXAMPLE := examples/agency/node
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
export npm_config_update_notifier := false
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

# The sizes of `make test`, so that `.ci/run` ends well within an hour on two cores; `make soak` has the large ones.
# How many random programs the differential test asks, and how often a process is forked.
SUBLET_CASES ?= 20000
SUBLET_FORKS ?= 50
# How often the directory changes under eight readers; policies are reloaded at every twentieth change.
SUBLET_CHANGES ?= 800
SUBLET_FUZZ_SECONDS ?= 60
# Counting: random operations of a seed against the model, kills in the middle of consumes, and changes that seven other
# processes must see at their next check.
SUBLET_STEPS ?= 30000
SUBLET_KILLS ?= 50
# Random steps over all verbs that change the directory or the bill, beside a model, of each seed.
SUBLET_WALK ?= 1000
SUBLET_ROUNDS ?= 400
# How many interleavings of a group commit each of its tests tries.
SUBLET_INTERLEAVINGS ?= 5000
# For how long eight processes count on one store, while one of them is killed every other second.
SUBLET_EXACT_SECONDS ?= 60
# How many bits are flipped in a store, and how many days of traffic one gets.
SUBLET_FLIPS ?= 200
SUBLET_DAYS ?= 200
# How often each verb is tried while the process that holds the store's lock stands still.
SUBLET_STOPS ?= 1
# How long the worked example is under load, while one of its eight workers is killed every second.
SUBLET_LOAD_SECONDS ?= 10
export SUBLET_CASES SUBLET_FORKS SUBLET_CHANGES SUBLET_STEPS SUBLET_KILLS SUBLET_ROUNDS SUBLET_WALK SUBLET_LOAD_SECONDS
export SUBLET_EXACT_SECONDS SUBLET_FLIPS SUBLET_DAYS SUBLET_INTERLEAVINGS SUBLET_STOPS
# The numbers of main accounts that `make bench` asks with; `make bench SIZES=1,100` is the quick one.
SIZES ?= 1,100,1000,10000
export SIZES

.PHONY: demo example test soak fuzz bench lint deny build python node one-build types

demo: python node
	@$(PY) tests/demo/demo.py

example: python node $(VENV)/.example $(EXAMPLE)/node_modules/.package-lock.json
	examples/agency/run.sh

build:
	cargo build --release --locked --workspace --exclude sublet-python

$(VENV)/.ready: requirements-dev.txt
	python3 -m venv $(VENV)
	$(PY) -m pip install --quiet -r requirements-dev.txt
	touch $@

$(VENV)/.bench: $(VENV)/.ready benches/python/requirements-bench.txt
	$(PY) -m pip install --quiet -r benches/python/requirements-bench.txt
	touch $@

$(VENV)/.example: $(VENV)/.ready examples/agency/requirements.txt
	$(PY) -m pip install --quiet -r examples/agency/requirements.txt
	touch $@

$(EXAMPLE)/node_modules/.package-lock.json: $(EXAMPLE)/package-lock.json
	cd $(EXAMPLE) && npm ci --silent
	touch $@

python: build $(VENV)/.ready
	$(PY) -m pip install --quiet --no-build-isolation --force-reinstall --no-deps ./bindings-python

node: build
	cd bindings-node && npm ci --silent && npm run --silent build

# The wheel is built by maturin, which tells pyo3 of its interpreter: hence `--exclude sublet-python` above.
# Cedar costs minutes of CPU: wheel, addon, command and tests must share one build of it.
one-build: build
	@for package in sublet-cli sublet-node sublet-tests; do \
	  if cargo build --release --locked -p $$package --message-format short -v 2>&1 | grep -q 'Compiling cedar-policy-core'; then \
	    echo "$$package compiles Cedar anew"; exit 1; fi; done
	@if cargo test --release --locked --workspace --exclude sublet-python --no-run --message-format short -v 2>&1 | grep -q 'Compiling cedar-policy-core'; then \
	  echo "the tests compile Cedar anew"; exit 1; fi; echo "one build of Cedar serves all packages"

types: python node $(VENV)/.example
	MYPYPATH=examples/agency $(PY) -m mypy --strict tests/python tests/demo/demo.py examples/agency/office
	$(PY) bindings-python/stubs.py --check
	$(PY) -m mypy.stubtest sublet._sublet
	$(PY) -m pyright tests/python tests/demo/demo.py examples/agency/office
	@cd target && venv/bin/python -m pyright --verifytypes sublet --ignoreexternal > stubs.txt || { cat stubs.txt; exit 1; }
	cd bindings-node && node_modules/.bin/tsc --noEmit --strict --target es2022 --module nodenext ../tests/node/types.ts

test: build one-build python node types $(VENV)/.example $(EXAMPLE)/node_modules/.package-lock.json
	cargo test --release --locked --workspace --exclude sublet-python
	cargo test --release --locked -p sublet --features tracing --lib telemetry::
	cargo test --release --locked --manifest-path tests/interleavings/Cargo.toml --target-dir target/interleavings
	target/release/sublet check policies
	target/release/sublet test policies
	$(PY) -m pytest -q --durations=15 --durations-min=5 tests/python
	node --test tests/node/

soak: export SUBLET_CASES := 1000000
soak: export SUBLET_FORKS := 1000
soak: export SUBLET_CHANGES := 10000
soak: export SUBLET_FUZZ_SECONDS := 3600
soak: export SUBLET_STEPS := 1000000
soak: export SUBLET_KILLS := 1000
soak: export SUBLET_ROUNDS := 10000
soak: export SUBLET_WALK := 100000
soak: export SUBLET_LOAD_SECONDS := 60
soak: export SUBLET_EXACT_SECONDS := 600
soak: export SUBLET_FLIPS := 5000
soak: export SUBLET_DAYS := 800
soak: export SUBLET_STOPS := 20
soak: export SUBLET_INTERLEAVINGS := 1000000
soak: test fuzz

# What it finds worth keeping beyond the corpus stays in target/found; an input on which they differ is written beside it.
fuzz:
	fuzz/build.sh
	@mkdir -p target/found
	target/release/fuzz_plain -max_total_time=$(SUBLET_FUZZ_SECONDS) -max_len=1024 -artifact_prefix=target/found- target/found fuzz/corpus/plain

bench: build python node $(VENV)/.bench
	cd benches/node && npm ci --silent
	benches/run

lint:
	cargo fmt --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings
	cargo clippy --release --locked -p sublet --features tracing -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps -p sublet -p sublet-cli

# No part of `.ci/run`: to compile cargo-deny takes minutes, and its answer changes only with Cargo.lock.
DENY_VERSION := 0.20.2
target/tools/.cargo-deny-$(DENY_VERSION):
	cargo install cargo-deny --version $(DENY_VERSION) --locked --debug --root target/tools
	touch $@

deny: target/tools/.cargo-deny-$(DENY_VERSION)
	PATH="$(CURDIR)/target/tools/bin:$$PATH" cargo deny --locked check bans licenses sources

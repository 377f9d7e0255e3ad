# Everything a checkout can do. `make help` lists it; `make demo` and `make test` start from nothing but Rust, a C++
# compiler and Python 3 with pip.

CARGO ?= cargo
PHALANX := target/release/phalanx
DATA ?= mnist fashion-mnist
# CI sets this to --locked.
LOCKED ?=
# Property tests draw the same cases each time; another number draws others.
export PROPTEST_RNG_SEED ?= 1

# Tests that need a dataset look here; without it they say so and are skipped.
ifeq ($(origin PHALANX_DATA),undefined)
ifneq ($(wildcard ../shared/data/.),)
PHALANX_DATA := $(abspath ../shared/data)
endif
endif
ifdef PHALANX_DATA
export PHALANX_DATA
endif

.DEFAULT_GOAL := help
.PHONY: help libtorch build demo test test-gpu test-slurm test-monitoring soak deep-test monitor data deny docs fmt fmt-check lint check-experiments paper bench peers clean clean-all

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  make %-18s %s\n", $$1, $$2 }'

libtorch: ## fetch PyTorch's libraries into libtorch/ (once; not if LIBTORCH or LIBTORCH_USE_PYTORCH is set)
	@python3 scripts/libtorch.py

build: libtorch ## build target/release/phalanx
	$(CARGO) build $(LOCKED) --release

demo: build ## run the quickstart experiment, from nothing
	$(PHALANX) run experiments/quickstart.toml

test: libtorch ## run every test, from nothing; those of the public face also without torch and with Parquet
	$(CARGO) test $(LOCKED) --release --no-default-features --features phalanx/parquet --test '*'
	$(CARGO) test $(LOCKED) --release --workspace

test-monitoring: libtorch ## watch real runs with a real Prometheus, if it is installed (about a minute)
	$(CARGO) test $(LOCKED) --release -p phalanx --test monitoring -- --include-ignored --nocapture

soak: build ## run for ten minutes and check that nothing grows and nothing is lost
	scripts/soak.py

deep-test: build ## models of every message order, Miri, ThreadSanitizer, Valgrind (needs nightly Rust and valgrind)
	scripts/deep-test.sh

monitor: ## start Prometheus for runs with --metrics; says how to open Grafana
	@scripts/monitor.sh

test-gpu: libtorch ## run what only a GPU can show (LIBTORCH of a CUDA build, MNIST in PHALANX_DATA; says so if not there)
	$(CARGO) test $(LOCKED) --release -p phalanx --test gpu -- --nocapture

test-slurm: libtorch ## run the tests of sweeps on a Slurm cluster of this machine alone (as root)
	scripts/slurm-node.sh $(CARGO) test $(LOCKED) --release --workspace --test slurm

data: build ## get the datasets (DATA="mnist fashion-mnist")
	@set -e; for name in $(DATA); do $(PHALANX) data get $$name; done

deny: ## hold the licences, versions and sources of all dependencies against deny.toml
	@scripts/deny.sh licenses bans sources

docs: libtorch ## build the API documentation, warnings are errors
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(LOCKED) --release --workspace --no-deps

fmt: ## format the code
	$(CARGO) fmt --all

fmt-check: ## fail if the code is not formatted
	$(CARGO) fmt --all --check

lint: libtorch ## clippy over everything, warnings are errors
	$(CARGO) clippy $(LOCKED) --release --workspace --all-targets -- -D warnings
	$(CARGO) clippy $(LOCKED) --release --workspace --all-targets --no-default-features --features phalanx/parquet -- -D warnings

check-experiments: build ## check every experiment file without running it
	@test -f experiments/quickstart.toml
	@find experiments -name '*.toml' ! -path '*/custom-attack/*' -print0 | sort -z | \
		xargs -0 -n 1 -P 2 scripts/check-experiment.sh

paper: build ## run a figure of Dahan & Levy (2024) and make its page: make paper FIG=3
	$(PHALANX) sweep experiments/paper/fig-$$(printf %02d $(FIG)).toml
	$(PHALANX) report runs/paper-fig-$$(printf %02d $(FIG))
	python3 experiments/paper/verdicts.py runs/paper-fig-$$(printf %02d $(FIG))

bench: build ## measure our own parts, and the peers beside them if `make peers` installed them
	$(CARGO) bench $(LOCKED) --workspace
	@scripts/bench.sh

peers: ## install the Python peers that benches compare with into .venv/
	@scripts/peers.sh

clean: ## remove what was built and every run
	$(CARGO) clean
	rm -rf runs

clean-all: clean ## also remove libtorch/ and .venv/
	rm -rf libtorch libtorch.partial .venv

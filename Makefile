# make app: start the app. make test: check everything. Both install what they need
# into $(VENV) by themselves; a second run starts at once.

VENV ?= .venv
PYTHON ?= python3
CHROMIUM ?= /usr/bin/chromium
ARGS ?=
PYTEST_ARGS ?=
# Whole test files side by side, in the order they are in: the long ones are not last.
JOBS ?= auto

export PYTHON CHROMIUM

BIN := $(VENV)/bin
APP_READY := $(VENV)/.requirements.stamp
DEV_READY := $(VENV)/.requirements-dev.stamp
INSTALL := tools/install.sh constraints-cpu.txt requirements.txt
PYTEST := $(BIN)/python -m pytest $(PYTEST_ARGS)
# A thread each, or every file's PyTorch takes all cores.
SIDE_BY_SIDE := --numprocesses $(JOBS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help app install install-dev lint format test test-fast test-long test-gpu browser clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

app: $(APP_READY) ## Start the app (ARGS="--port 8000" adds arguments)
	$(BIN)/python app.py $(ARGS)

install: $(APP_READY) ## Install what the app needs

install-dev: $(DEV_READY) ## Install what the tests need, too

test: browser $(DEV_READY) lint ## Lint, type check and run what CI runs
	OMP_NUM_THREADS=1 $(PYTEST) $(SIDE_BY_SIDE) --durations=15 -m "not gpu and not long"

test-long: $(DEV_READY) ## The tests that would make CI too slow: killed clusters, spread models
	OMP_NUM_THREADS=1 $(PYTEST) --durations=15 -m "long and not gpu"

test-fast: $(DEV_READY) ## The tests that need neither a GPU, a browser nor patience
	$(PYTEST) -m "not gpu and not browser and not slow and not long"

test-gpu: $(DEV_READY) ## The tests that need a CUDA device
	$(PYTEST) -m gpu

lint: $(DEV_READY) ## Ruff and mypy
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

format: $(DEV_READY) ## Let ruff write what lint asks for
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

browser: # Said first, so that nobody waits for the whole run to learn it.
	@test -x "$(CHROMIUM)" || echo "warning: no Chromium at $(CHROMIUM), so the browser" \
	    "tests will fail; install it (sudo apt-get install chromium) or set CHROMIUM=/path/to/it." >&2

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(APP_READY): $(INSTALL)
	@tools/install.sh $(VENV) requirements.txt
	@touch $@

$(DEV_READY): $(INSTALL) requirements-eval.txt requirements-mcp.txt requirements-ray.txt requirements-dev.txt
	@tools/install.sh $(VENV) requirements-dev.txt
	@touch $(APP_READY) $@

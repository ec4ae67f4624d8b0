# Every target sets up what it needs, and is quick when that is there already.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
TASK ?= sentiment
# A pip index with a small CPU build of torch, for machines without a GPU, e.g. https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help serve test check format train lock clean
.DEFAULT_GOAL := help

help: ## What can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

serve: $(VENV)/.serve ## Serve the shipped models on SQLite (HOST=, PORT=)
	$(BIN)/gatehouse serve --migrate --host $(HOST) --port $(PORT)

test: $(VENV)/.dev ## Run all tests; GATEHOUSE_DATA=FOLDER includes those on the real data
	$(BIN)/python -m pytest --cov --cov-report=
	$(BIN)/python -m coverage report --include='app/*' --fail-under=95 --skip-covered
	$(BIN)/python -m coverage report --include='training/*' --fail-under=85 --skip-covered

check: $(VENV)/.dev ## Format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.dev ## Put the code into its one format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

train: $(VENV)/.dev ## Train and seal a bundle (TASK=sentiment|rainfall|music, ARGS=)
	$(BIN)/gatehouse train $(TASK) $(ARGS)

lock: $(VENV)/.dev ## Choose dependency versions anew
	$(BIN)/uv pip compile pyproject.toml --extra cpu --universal --python-version 3.11 --generate-hashes --upgrade \
		--quiet --no-annotate --custom-compile-command 'make lock' -o requirements/serve.txt
	$(BIN)/uv pip compile pyproject.toml --extra cpu --extra train --extra dev --universal --python-version 3.11 --upgrade \
		--quiet --no-annotate --custom-compile-command 'make lock' -c requirements/serve.txt -o requirements/dev.txt

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage

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
	$(PIP) -c requirements/dev.txt -e '.[cpu,train,dev]'
	@touch $@

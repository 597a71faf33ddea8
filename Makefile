# The two commands of the README: `make report` and `make test`. Both install by themselves, once.
PYTHON ?= python3
BIN := .venv/bin
OUT ?= results/quickstart
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest
PARALLEL := -n $(WORKERS)

.PHONY: report test test-fast acceptance lint types check pins clean

report: .venv/.installed  ## train the quickstart study on a local Ray, then write its report
	$(BIN)/scaling sweep quickstart --out $(OUT)
	$(BIN)/scaling report $(OUT)

test: .venv/.installed-dev  ## the test suite
	$(PYTEST) $(PARALLEL)

test-fast: .venv/.installed-dev  ## what needs neither Ray nor a browser, in a minute
	$(PYTEST) $(PARALLEL) tests/unit tests/statistics

acceptance: .venv/.installed-dev  ## the commands on a real cluster of two nodes, and stored figures
	$(PYTEST) -m acceptance --confcutdir tests/acceptance tests/acceptance

lint: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.installed-dev
	$(BIN)/mypy

check: lint types test

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, $$($(PYTHON) --version) was found: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.installed: .venv/bin/pip pyproject.toml constraints.txt
	@echo "installing into .venv (once; a minute or more)"
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/.installed-dev: .venv/bin/pip pyproject.toml constraints.txt
	@echo "installing into .venv (once; a minute or more)"
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ .venv/.installed

pins: .venv/.installed-dev  ## write constraints.txt anew from what is installed
	( head -n 1 constraints.txt; \
	  { $(BIN)/pip freeze --exclude-editable | sed 's/+cpu//'; grep -E '^(cuda|nvidia|triton)' constraints.txt; } \
	  | awk -F== '!seen[$$1]++' | sort -f ) > constraints.new  # of torch's CUDA build too, wherever it is made
	mv constraints.new constraints.txt

clean:
	rm -rf .venv results build *.egg-info .pytest_cache .mypy_cache .ruff_cache

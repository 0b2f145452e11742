# Every target works on a machine that has only make and Python 3.11 or newer:
# the tools are installed, pinned in pyproject.toml, in a virtual environment here.

PYTHON ?= python3
VENV := .venv
VENV_OLDEST := .venv-oldest
VENV_DIST := .venv-dist
JOBS ?= 2
PYTEST_ARGS ?=

PIP := pip>=25.1
EXTRAS := jax,plot,progress
PY := $(VENV)/bin/python
PY_OLDEST := $(VENV_OLDEST)/bin/python
# These two can slow OpenBLAS down a great deal: what is timed runs without them.
TIMED := env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE
# The tests of a file share what they compile, and what they compare with.
SHARED := -n $(JOBS) --dist=loadfile
DOCS := -m sphinx -W --keep-going -q -d docs/_build/doctrees

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test test-oldest lint docs bench dist clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

demo: $(VENV)/.demo ## Fit the note's data and 327,000 flights, and a cost of your own
	$(TIMED) $(PY) examples/plot_linear_regression.py
	$(TIMED) $(PY) examples/plot_flights_cost.py

test: $(VENV)/.test ## Run the tests and doctests, with the coverage that is asked
	$(PY) -m pytest $(SHARED) --cov $(PYTEST_ARGS)

test-oldest: $(VENV_OLDEST)/.test ## Run the tests with the oldest versions supported
	$(PY_OLDEST) -m pytest $(SHARED) \
		-W ignore::DeprecationWarning -W ignore::FutureWarning $(PYTEST_ARGS)

lint: $(VENV)/.lint $(VENV)/.test ## Check style, types and docstrings
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m numpydoc lint $$(find sklearn_adreg -name '*.py' \
		! -path '*/_[!d]*/*' ! -path '*/_de*/*')

docs: $(VENV)/.docs ## Build the documentation and run the examples on its pages
	$(PY) $(DOCS) -b html docs docs/_build/html
	$(PY) $(DOCS) -b doctest docs docs/_build/doctest

bench: $(VENV)/.bench ## Run every benchmark
	@set -e; for script in benchmarks/bench_*.py; do \
		echo "== $$script"; $(TIMED) $(PY) "$$script"; \
	done

dist: $(VENV)/.dist ## Build sdist and wheel, and run the doctests of the wheel alone
	rm -rf dist $(VENV_DIST)
	$(PY) -m build
	$(PYTHON) -m venv $(VENV_DIST)
	$(VENV_DIST)/bin/python -m pip install --quiet pytest \
		"$$(echo dist/*.whl)[$(EXTRAS)]"
	cd dist && $(abspath $(VENV_DIST))/bin/python -m pytest -q --doctest-modules \
		-o doctest_optionflags="NORMALIZE_WHITESPACE ELLIPSIS" -c /dev/null \
		-p no:cacheprovider --rootdir=. --pyargs sklearn_adreg
	@ls dist/*.whl dist/*.tar.gz

clean: ## Remove the environments and everything built
	rm -rf $(VENV) $(VENV_OLDEST) $(VENV_DIST) build dist docs/_build docs/auto_examples \
		docs/generated docs/sg_execution_times.rst .coverage .coverage.* htmlcov \
		.hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp says that the dependency group of its name is installed as the present
# pyproject.toml asks.
%/.pip: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --upgrade "$(PIP)"
	@touch $@

$(VENV)/.demo $(VENV)/.test $(VENV)/.lint $(VENV)/.docs $(VENV)/.bench $(VENV)/.dist: $(VENV)/.%: $(VENV)/.pip
	@echo "Installing into $(VENV): the package with $(EXTRAS), and the group '$*' of pyproject.toml."
	$(PY) -m pip install --quiet --editable ".[$(EXTRAS)]" --group $*
	@touch $@

$(VENV_OLDEST)/.test: $(VENV_OLDEST)/.pip
	$(PY_OLDEST) -m pip install --quiet --editable ".[$(EXTRAS)]" --group test \
		"scikit-learn==1.6.*" "jax==0.8.*" "jaxlib==0.8.*"
	@touch $@

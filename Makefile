# make demo        the main job on real input, and this very machine (no root)
# make test        linters, types, and the test suite (no root, no network but the package index)
# make test-fleet  end-to-end on real hosts raised on this machine (root, Debian)
# make benchmark   figures beside named peers, into benchmarks/RESULTS.md by hand; what needs root or a program that is
#                  not here is left out and said so; BENCHMARK="--only walk" for one group, BENCHMARK=--help for all

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.installed

.PHONY: demo test test-fleet lint types unit benchmark clean

demo: $(READY)
	@$(RUN) examples/demo.py

test: lint types unit

lint: $(READY)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(READY)
	$(RUN) -m mypy

unit: $(READY)
	$(RUN) -m pytest -n auto

benchmark: $(READY)
	$(RUN) benchmarks/run.py $(BENCHMARK)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("driftscan needs Python 3.11 or later; set PYTHON=") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf .demo .mypy_cache .pytest_cache .ruff_cache .hypothesis

include tests/fleet/fleet.mk

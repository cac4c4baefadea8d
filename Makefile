# Relative paths only: the checkout may lie in a folder with spaces in its name.
PYTHON ?= python3
INSTALLED := .venv/.installed
PROMPT ?= a person is walking

# Extra arguments of pytest: `make test PYTEST_FLAGS="-k rotations"`.
PYTEST_FLAGS ?=

.PHONY: help demo test quick check format clean

help:
	@echo "make demo    a motion from a prompt, into runs/"
	@echo "make test    the whole test suite"
	@echo "make quick   the tests that take under three seconds each"
	@echo "make check   linter, formatter and type checker"
	@echo "make format  what the linter and the formatter can repair"
	@echo "make clean   remove .venv and every cache (runs/ stays)"

demo: $(INSTALLED)
	.venv/bin/motiondistill optimize "$(PROMPT)"

test: $(INSTALLED)
	.venv/bin/python -m pytest -q --numprocesses=auto --maxprocesses=4 $(PYTEST_FLAGS)

quick: PYTEST_FLAGS += -m "not slow"
quick: test

check: $(INSTALLED)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

format: $(INSTALLED)
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find motiondistill tests experiments -name __pycache__ -type d -prune -exec rm -rf {} +

# torch comes first, alone: everything else then finds it satisfied, whichever build (CPU, CUDA) it is.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
	{ echo "motiondistill needs Python >= 3.11, $(PYTHON) is older; name another: make PYTHON=python3.13" >&2; exit 2; }
	@echo "installing into .venv (some minutes, and some gigabytes where PyTorch comes with CUDA)"
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --constraint constraints.txt torch
	.venv/bin/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $(INSTALLED)

# Every target sets up what it needs. A bare machine with make and python3 (3.11 or newer, with its
# venv module) is enough; a second run installs again only when a lock file has changed.

# The system's own interpreter, where it will do: distributions build it with optimisations that
# tools which compile one on the spot leave out, so all that Pilot does takes less time.
ifndef PYTHON
PYTHON := $(shell for one in /usr/bin/python3 python3; do \
	$$one -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	done; echo $$one)
endif
# More than two cores: one runs the crash laboratory, and tests often wait for a server.
JOBS ?= 4
BIN := .venv/bin
UV := $(BIN)/uv
PYTEST := $(BIN)/pytest
SIDE_BY_SIDE = -n $(JOBS) --dist loadfile --no-loadscope-reorder
hash = $(shell cat $(1) | cksum | tr ' ' '-')
READY := .venv/ready-$(call hash,requirements.lock pyproject.toml)
READY_DEV := .venv/ready-dev-$(call hash,requirements-dev.lock pyproject.toml)
COMPILE := $(UV) pip compile -q --universal --generate-hashes --custom-compile-command 'make lock'
INSTALL := $(UV) pip install -q --python $(BIN)/python
MEASUREMENTS = $(notdir $(basename $(shell grep -l __main__ benchmarks/*.py)))
SHELL := /bin/sh
# With it, each of the many processes of a start or a test run would compile all its code again.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: help run test check capabilities bench nightly lock reference

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1: /p' Makefile

run: $(READY) ## start Pilot (PILOT_PORT, PILOT_DATA: see README.md); Ctrl+C stops it
	@exec $(BIN)/pilot up

test: $(READY_DEV) ## all tests; a missing browser or IMAP server skips with its reason
	@exec $(PYTEST) $(SIDE_BY_SIDE)

check: $(READY_DEV) ## style, types, layers and the tests that need no server, in under 90 s
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@exec $(PYTEST) $(SIDE_BY_SIDE) --no-servers -m 'not browser and not crash and not long'

capabilities: $(READY_DEV) ## rows of docs/capabilities.md that no passing test proved, or "none"
	@mkdir -p build
	@test -f build/capabilities.json || $(PYTEST) $(SIDE_BY_SIDE) >build/capabilities.log 2>&1 || true
	@exec $(BIN)/python -m tests.capabilities

bench: $(READY_DEV) ## measure: one line of JSON per figure; NAME=w1 runs benchmarks/w1.py only
	@for name in $(or $(NAME),$(MEASUREMENTS)); do \
		echo "# $$name" && $(BIN)/python -m benchmarks.$$name || exit 1; done

nightly: $(READY_DEV) ## the tests again with many more generated examples, then the benchmarks
	@$(PYTEST) $(SIDE_BY_SIDE) --hypothesis-profile=nightly
	@$(MAKE) --no-print-directory bench

lock: $(UV) ## compile the lock files again from pyproject.toml (UPGRADE=1 takes newer versions)
	@echo uv | $(COMPILE) - -o requirements-uv.lock $(if $(UPGRADE),--upgrade)
	@$(COMPILE) pyproject.toml --extra build -o requirements.lock $(if $(UPGRADE),--upgrade)
	@$(COMPILE) pyproject.toml --extra build --extra dev -c requirements.lock \
		-o requirements-dev.lock $(if $(UPGRADE),--upgrade)

reference: $(READY_DEV) ## write docs/reference/ again from the code
	@exec $(BIN)/python -m docs.generate

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.x ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		echo "Python's venv module is missing: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv .venv

$(UV): $(BIN)/python requirements-uv.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes \
		-r requirements-uv.lock
	@touch $(UV)

$(READY): $(UV)
	@echo "Installing what Pilot needs into .venv"
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@rm -f .venv/ready-[0-9]* && touch $@

$(READY_DEV): $(UV)
	@echo "Installing what Pilot and its tests need into .venv"
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@rm -f .venv/ready-* && touch $@ $(READY)

# Everything a developer runs. `make help` lists it.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
SERVERS := $(RUN) -m ott.embedded exec --
# Whatever is said outside: each of the many processes would compile every module anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help up test soak bench lint style types screenshots lock

help: ## This list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

up: $(VENV)/.runtime ## Run everything on http://127.0.0.1:8000 (OTT_PORT, OTT_DATA_DIR); Ctrl-C stops it
	@exec $(RUN) -m ott.embedded up --with-parent

test: style ## Check and test everything, on temporary servers, in two processes
	@$(MAKE) --no-print-directory types >$(VENV)/types.log 2>&1 & types=$$!; \
	$(SERVERS) $(VENV)/bin/pytest -n 2 --dist worksteal; tests=$$?; \
	wait $$types; types=$$?; cat $(VENV)/types.log; exit $$((tests | types))

soak: $(VENV)/.dev ## The long runs: more random cases, more kills
	OTT_SOAK=1 $(SERVERS) $(VENV)/bin/pytest

bench: $(VENV)/.dev ## Run every benchmark, write bench/results/, print what misses its goal
	$(RUN) manage.py bench all

lint: style types ## Style, types, import rules, missing migrations, message schemas that would break

style: $(VENV)/.dev
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/lint-imports

types: $(VENV)/.dev
	$(SERVERS) sh -c '$(VENV)/bin/mypy . && $(RUN) manage.py makemigrations --check --dry-run && $(RUN) manage.py broker_schemas --check'

screenshots: $(VENV)/.dev ## Take the pictures in docs/
	$(RUN) -m tests.acceptance.screenshots

lock: ## Choose versions anew, after a change of pyproject.toml (needs uv)
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header -o requirements.lock pyproject.toml
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header -o requirements-dev.lock \
		--all-extras -c requirements.lock pyproject.toml
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header -o requirements-extras.lock \
		--extra kafka --extra rabbitmq --extra sqs -c requirements-dev.lock pyproject.toml

# The environment: `make up` needs what production needs; the rest also needs the tools. Remade when a lock changes.
INSTALL := $(RUN) -m pip install --disable-pip-version-check --require-hashes

$(RUN):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make up PYTHON=python3.11")'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.runtime: requirements.lock | $(RUN)
	@echo "Setting up the environment in $(VENV) (the first time takes a minute)."
	@$(INSTALL) -r requirements.lock
	@touch $@

# All of requirements.lock is in it, too.
$(VENV)/.dev: requirements-dev.lock requirements.lock | $(RUN)
	@echo "Setting up the environment in $(VENV), with the tools for development (the first time takes two minutes)."
	@$(INSTALL) --no-compile -r requirements-dev.lock
	@touch $(VENV)/.runtime $@

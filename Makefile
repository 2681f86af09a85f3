# The habits of the house. `make help` lists them.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq
PYTHON ?= $(shell setup/machine.sh python)
ROOMS := core identity care pose engagement api

# Every client that has a lock file is built; what it is built from decides whether it is built again.
CLIENTS := $(patsubst clients/%/package-lock.json,%,$(wildcard clients/*/package-lock.json))
PAGES := $(foreach client,$(CLIENTS),clients/$(client)/dist/index.html)
sources = $(shell find clients/$(1) \( -name node_modules -o -name dist \) -prune -o -type f -print 2>/dev/null)

.PHONY: help
help: ## List the habits.
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

.PHONY: run
run: machine-run install ## Install, start everything, print the addresses. PORT and HOMESTRETCH_DATA are honoured.
	@exec $(BIN)/homestretch run

.PHONY: test
test: machine-test install-dev ## Run every test, on a real MongoDB, over real HTTP, in a real browser.
	@$(BIN)/pytest --numprocesses 2 --dist loadfile
	@for client in $(CLIENTS); do npm --prefix clients/$$client run --silent --if-present test || exit 1; done
	@for client in $(CLIENTS); do npm --prefix clients/$$client run --silent --if-present e2e || exit 1; done

.PHONY: check
check: machine-run install-dev ## Format, lint, types, import rules; nothing is changed.
	@$(BIN)/ruff format --check --quiet . && echo "format: as it should be"
	@$(BIN)/ruff check --quiet . && echo "lint: clean"
	@$(BIN)/pyright
	@$(BIN)/lint-imports
	@for client in $(CLIENTS); do npm --prefix clients/$$client run --silent --if-present check || exit 1; done

.PHONY: bench
bench: machine-run install-dev ## Print how fast things are, each beside a floor measured in the same run.
	@for benchmark in bench/*.py; do echo "== $$benchmark"; $(BIN)/python $$benchmark || exit 1; done

.PHONY: docs
docs: install ## Write the documents that code knows best: docs/settings.md and build/openapi.json.
	@$(BIN)/python -m core.settings > docs/settings.md && echo "docs/settings.md"
	@$(BIN)/python -m core.settings > docs/settings.md && echo "docs/settings.md"
	@mkdir -p build
	@$(BIN)/homestretch openapi > build/openapi.json && echo "build/openapi.json"

.PHONY: format
format: install-dev ## Format the code and mend what can be mended by rule.
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

.PHONY: lock
lock: ## Pin the dependencies of pyproject.toml again, with hashes (needs uv).
	@command -v uv >/dev/null || { echo "make lock needs uv, a Python package: pip install uv" >&2; exit 2; }
	uv pip compile pyproject.toml --quiet --group build $(COMPILE) -o requirements/runtime.txt
	uv pip compile pyproject.toml --quiet --group dev $(COMPILE) -o requirements/dev.txt
COMPILE := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header

# --- what the habits stand on. Each stamp file says that its step is done; a second run finds them and is quick.

.PHONY: machine-run machine-test
machine-run: ; @setup/machine.sh run
machine-test: ; @setup/machine.sh test

.PHONY: install install-dev
install: $(VENV)/.runtime .models/.complete $(PAGES)
install-dev: $(VENV)/.dev .models/.complete $(PAGES)

$(VENV)/.created:
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.created requirements/runtime.txt pyproject.toml
	@echo "Installing the Python packages"
	@$(PIP) install --no-deps --require-hashes -r requirements/runtime.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	@echo "Installing what checks and tests need"
	@$(PIP) install --no-deps --require-hashes -r requirements/dev.txt
	@touch $@

.models/.complete: $(VENV)/.runtime pose/models.py
	@echo "Building the landmark models"
	@$(BIN)/python -m pose.models .models
	@touch $@

clients/%/node_modules/.installed: clients/%/package-lock.json clients/%/package.json
	@echo "Installing the packages of clients/$*"
	@npm --prefix clients/$* ci --no-audit --no-fund --loglevel=error
	@touch $@

define built_client
clients/$(1)/dist/index.html: clients/$(1)/node_modules/.installed $(call sources,$(1))
	@echo "Building clients/$(1)"
	@npm --prefix clients/$(1) run --silent build
	@touch $$@
endef
$(foreach client,$(CLIENTS),$(eval $(call built_client,$(client))))

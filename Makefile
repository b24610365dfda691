# What a person types. Needs make (3.81 or newer) and a Python 3.11 to 3.13, nothing else: everything Python goes into
# .venv at the exact versions of the lock files, and is put there again only when a lock file or pyproject.toml changed.

.DEFAULT_GOAL := help
.PHONY: help demo up test check bench peers lock clean rebuild
.DELETE_ON_ERROR:
.NOTPARALLEL:

# Whatever the caller's shell carries must not leak into what is installed or run here. Where packages come from (index,
# proxy, certificates) is the caller's to say, so those stay.
unexport PYTHONPATH PYTHONHOME PYTHONOPTIMIZE PYTHONWARNINGS PYTHONSTARTUP PYTHONUSERBASE VIRTUAL_ENV
unexport PIP_REQUIRE_VIRTUALENV PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PIP_PLATFORM PIP_PYTHON_VERSION PIP_ABI
unexport PIP_IMPLEMENTATION PIP_REQUIREMENT PIP_CONSTRAINT PIP_BUILD_CONSTRAINT PIP_REQUIRE_HASHES PIP_NO_DEPS PIP_EDITABLE
unexport PIP_NO_BINARY PIP_ONLY_BINARY PIP_NO_BUILD_ISOLATION PIP_DRY_RUN PIP_REPORT PIP_PRE PIP_UPGRADE PIP_IGNORE_INSTALLED
export PIP_USER := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

python := .venv/bin/python
pip_install := $(python) -m pip --quiet --no-input install
packages := streams agents models notifiers templates

help:  ## say what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)$$/\1|\2/p' Makefile | while IFS='|' read -r name what; do \
	    printf '  make %-7s %s\n' "$$name" "$$what"; done

demo: .venv/tocsin.stamp  ## play recorded alerts through the whole path, and end (PROFILE=runbook for another policy)
	@.venv/bin/tocsin demo $(if $(PROFILE),--profile '$(PROFILE)') $(ARGS)

up: .venv/tocsin.stamp  ## start everything on this machine and stay (Ctrl-C stops all)
	@.venv/bin/tocsin up $(ARGS)

test: .venv/tocsin.stamp .venv/dev.stamp  ## run the tests (ARGS='-k triage' to choose)
	@$(python) -m pytest $(ARGS)

check: .venv/tocsin.stamp .venv/dev.stamp  ## lint, format, types and the arrows between the packages
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy $(packages:%=-p %) -p tests
	.venv/bin/lint-imports --no-cache

bench: .venv/tocsin.stamp .venv/dev.stamp  ## measure ours and a bare floor, side by side
	@$(python) -m tests.bench $(ARGS)

peers: .cache/kafka/classpath.stamp  ## fetch what the tests against real peers need (Java 17, Maven)
	@command -v prometheus-alertmanager alertmanager >/dev/null || \
	    echo "Alertmanager is not installed here (Debian: apt-get install prometheus-alertmanager)."

lock: .venv/dev.stamp  ## pin what pyproject.toml asks for, by version and hash (ARGS=--upgrade: the newest)
	.venv/bin/uv --quiet pip compile pyproject.toml --group build $(lock_options) -o requirements.lock
	.venv/bin/uv --quiet pip compile pyproject.toml --group build --group dev $(lock_options) \
	    --constraints requirements.lock -o .ci/requirements.lock

lock_options := --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(ARGS)

clean:  ## remove what was made here; data under .tocsin stays
	rm -rf .venv .cache .bench dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# A checkout that was moved, or a Python that went away, leaves a .venv that looks complete and is not.
ifneq ($(shell cat .venv/checkout 2>/dev/null && .venv/bin/python -c 'print("runs")' 2>/dev/null),$(CURDIR) runs)
.venv/runtime.stamp: rebuild
endif

.venv/runtime.stamp: requirements.lock
	@supported='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; \
	complete='import ensurepip, sqlite3, ssl, venv'; \
	found=; incomplete=; \
	set -- python3.13 python3.12 python3.11 python3 python; \
	test -z "$(PYTHON)" || set -- "$(PYTHON)"; \
	for python in "$$@"; do \
	    "$$python" -I -c "$$supported" >/dev/null 2>&1 || continue; \
	    if "$$python" -I -c "$$complete" >/dev/null 2>&1; then found=$$python; break; fi; \
	    incomplete="$$incomplete $$python"; \
	done; \
	if test -z "$$found"; then \
	    if test -n "$$incomplete"; then \
	        echo "Found$$incomplete, but without venv, ensurepip, ssl or sqlite3: install the rest of it (Debian: apt-get install python3-venv)." >&2; \
	    else \
	        test -z "$(PYTHON)" || { echo "PYTHON=$(PYTHON) does not run, or is not Python 3.11, 3.12 or 3.13." >&2; exit 1; }; \
	        echo "No Python 3.11, 3.12 or 3.13 found: install one, or name it with make PYTHON=/path/to/python3." >&2; \
	    fi; exit 1; \
	fi; \
	echo "Setting up .venv with $$("$$found" -I -V) (once, about a minute)."; \
	rm -rf .venv && "$$found" -I -m venv .venv
	@$(pip_install) --require-hashes -r requirements.lock
	@printf '%s\n' "$(CURDIR)" >.venv/checkout
	@touch $@

.venv/tocsin.stamp: .venv/runtime.stamp pyproject.toml
	@$(pip_install) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev.stamp: .venv/runtime.stamp .ci/requirements.lock
	@echo "Adding the tools for tests and checks."
	@$(pip_install) --require-hashes -r .ci/requirements.lock
	@touch $@

.cache/kafka/classpath.stamp: .ci/pom.xml
	@command -v mvn >/dev/null || { echo "Maven is missing (Debian: apt-get install maven openjdk-17-jre-headless)." >&2; exit 1; }
	@rm -rf .cache/kafka
	mvn --quiet --batch-mode --file .ci/pom.xml dependency:copy-dependencies -DoutputDirectory="$(CURDIR)/.cache/kafka"
	@touch $@

# zhongshu: everything from a bare CPython >= 3.11 and git; uv is used when it is there.
SHELL := /bin/sh
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
WORKERS ?= 2
STAMP := .venv/.installed

.PHONY: install demo test long bench check clean

install: $(STAMP)

$(STAMP): requirements.txt pyproject.toml hatch_build.py frontend/vendor.lock.json
	@test -n "$(PYTHON)" || { echo "zhongshu needs CPython 3.11 or newer; set PYTHON=/path/to/python3" >&2; exit 1; }
	@sh scripts/install.sh "$(PYTHON)"
	@touch $(STAMP)

demo: install
	@$(BIN)/zhongshu demo

test: install
	@$(BIN)/python scripts/check.py --quiet
	@$(BIN)/pytest -q -n $(WORKERS)

long: install
	@$(BIN)/python scripts/long.py $(ARGS)

bench: install
	@$(BIN)/python -m benchmarks $(ARGS)

check: install
	@$(BIN)/python scripts/check.py

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache src/zhongshu/portal/static/vendor test-results

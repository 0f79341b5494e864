# The virtual environment is made on first use, and again when a dependency changes.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: demo test check bench conformance emulate reproduce results clean

demo: .venv/stamp      ; $(BIN)/ns4d demo
test: .venv/stamp      ; $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder
check: .venv/stamp     ; $(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/pyright --pythonpath $(BIN)/python
bench: .venv/stamp     ; $(BIN)/ns4d bench
conformance: .venv/stamp ; PYTHONPATH=src:tests $(BIN)/python -m conformance.run $(ENGINES)
emulate: .venv/stamp   ; $(BIN)/python -m ns4d.bench.emulate
reproduce: .venv/stamp ; $(BIN)/ns4d reproduce --out benchmarks/results/reproduction && $(BIN)/python -m ns4d.bench.documents
results: .venv/stamp   ; $(BIN)/python -m ns4d.bench.documents
clean:                 ; rm -rf .venv .pytest_cache .ruff_cache .hypothesis build dist

.venv/stamp: pyproject.toml constraints.txt
	@$(if $(PYTHON),,$(error ns4d needs Python 3.11 or newer; name one: make PYTHON=/path/to/python))echo "installing into .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq -e ".[train,report,test]" -c constraints.txt
	@touch $@

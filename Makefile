# `make demo` and `make test` make what is missing, then do their job.

PYTHON ?= python3
VENV ?= .venv
VENV_PYQT6 ?= .venv-pyqt6
TORCH_INDEX ?=
PYTEST_FLAGS ?=

TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)
BIN := $(VENV)/bin
# Only Linux can be without a screen: there DISPLAY or WAYLAND_DISPLAY names it.
HEADLESS := $(if $(DISPLAY)$(WAYLAND_DISPLAY),,$(filter Linux,$(shell uname -s)))
XVFB := xvfb-run -a -s "-screen 0 1600x1000x24"
SAMPLES := sample_data
BUILD := build/sample-data
RUN ?= $(BUILD)/run

.PHONY: demo test lint test-pyqt6 sample-data pictures wheel clean

demo: $(VENV)/.demo-ready
	$(if $(HEADLESS),$(XVFB)) $(BIN)/python -m napari_hep2.demo $(if $(HEADLESS),--picture) --out demo

test: $(VENV)/.test-ready
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

lint: $(VENV)/.test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/npe2 validate napari-hep2 --imports

# The widgets on the other Qt, in an environment of its own.
test-pyqt6: $(VENV_PYQT6)/.test-ready
	$(VENV_PYQT6)/bin/python -m pytest -o qt_api=pyqt6 $(PYTEST_FLAGS) tests/napari_hep2

# The sample specimens, and a model fitted on others: no specimen stands in both.
sample-data: $(VENV)/.demo-ready
	rm -rf $(SAMPLES)/specimens $(BUILD)
	$(BIN)/python -m training simulate $(SAMPLES)/specimens --specimens 6 --seed 2026 \
	  --set patterns=Homogeneous,Speckled,Nucleolar,Centromere,NuMem,Golgi \
	  --set cells_max=120
	$(BIN)/python -m training simulate $(BUILD)/simulated-specimens --specimens 60 --seed 501
	$(BIN)/python -m training run set-1-normalised --data $(BUILD)/simulated-specimens \
	  --out $(BUILD)/run --protocol group-k --epochs 30 --set width=0.125
	$(BIN)/python -m training fit set-1-normalised --data $(BUILD)/simulated-specimens \
	  --measured $(BUILD)/run --out $(SAMPLES)/model/simulated.safetensors \
	  --epochs 30 --set width=0.125

# The pictures of the README, of simulated data; RUN is what the trainer shows.
pictures: $(VENV)/.demo-ready
	$(if $(HEADLESS),$(XVFB)) $(BIN)/python -m napari_hep2.demo --pictures docs/images \
	  $(if $(wildcard $(RUN)/events.jsonl),--run $(RUN))

wheel: $(VENV)/.test-ready
	$(BIN)/python -m build --wheel

clean:
	rm -rf build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis

# --- what is missing ---------------------------------------------------------

$(VENV)/.demo-ready: constraints.txt pyproject.toml | system
	PYTHON="$(PYTHON)" TORCH="$(TORCH)" TORCH_INDEX="$(TORCH_INDEX)" \
	  sh tools/environment.sh $(VENV) pyqt5
	touch $@

$(VENV)/.test-ready: constraints.txt pyproject.toml | system
	PYTHON="$(PYTHON)" TORCH="$(TORCH)" TORCH_INDEX="$(TORCH_INDEX)" \
	  sh tools/environment.sh $(VENV) pyqt5,cluster,onnx,dev
	touch $@ $(VENV)/.demo-ready

$(VENV_PYQT6)/.test-ready: constraints.txt pyproject.toml | system
	PYTHON="$(PYTHON)" TORCH="$(TORCH)" TORCH_INDEX="$(TORCH_INDEX)" \
	  sh tools/environment.sh $(VENV_PYQT6) pyqt6,dev
	touch $@

.PHONY: system
system:
	@PYTHON="$(PYTHON)" sh tools/system-packages.sh

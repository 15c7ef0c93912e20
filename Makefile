# `make demo` and `make test` make what is missing, then do their job.

PYTHON ?= python3
VENV ?= .venv
VENV_PYQT6 ?= .venv-pyqt6
TORCH_INDEX ?=
PYTEST_FLAGS ?=
# One process more than cores, four at most: some tests only wait. `worksteal` replaces one that died (`loadfile` would
# wait for it for ever); three deaths are no accident.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist worksteal --max-worker-restart 2
# Each has one thread, and the programs that tests start find compiled modules.
QUICKLY := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=
FUZZ_MINUTES ?= 60

TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)
BIN := $(VENV)/bin
# Only Linux can be without a screen: there DISPLAY or WAYLAND_DISPLAY names it.
HEADLESS := $(if $(DISPLAY)$(WAYLAND_DISPLAY),,$(filter Linux,$(shell uname -s)))
XVFB := xvfb-run -a -s "-screen 0 1600x1000x24"
# On the Qt that was found when the environment was made.
DEMO = QT_API=$$(cat $(VENV)/.demo-ready) $(if $(HEADLESS),$(XVFB)) \
  $(BIN)/python -m napari_hep2.demo
SAMPLES := sample_data
BUILD := build/sample-data
RUN ?= $(BUILD)/run
INSTALLED := build/installed

# Where the home cannot be written, what programs keep in it is kept here.
ifneq ($(shell test -w "$$HOME" && echo yes),yes)
$(info The home "$(HOME)" cannot be written: caches and settings go to build/home.)
$(shell mkdir -p build/home)
export HOME := $(CURDIR)/build/home
endif

.PHONY: demo test trust fuzz lint test-pyqt6 sample-data pictures site wheel installed sbom clean

demo: $(VENV)/.demo-ready
	$(DEMO) $(if $(HEADLESS),--picture) --out demo

test: $(VENV)/.test-ready
	$(QUICKLY) $(BIN)/python -m pytest $(SIDE_BY_SIDE) $(PYTEST_FLAGS)

# Every promise at its full count; writes docs/reliability.md and its figures. Then the
# property tests of all rooms, at theirs.
trust: $(VENV)/.test-ready
	$(QUICKLY) $(BIN)/python -m pytest tests/trust --long --record --timeout 3000 \
	  -o faulthandler_timeout=3300 -o run_limit=7200 $(SIDE_BY_SIDE) $(PYTEST_FLAGS)
	$(QUICKLY) $(BIN)/python -m pytest -m hypothesis --long --timeout 3000 \
	  -o faulthandler_timeout=3300 -o run_limit=7200 $(SIDE_BY_SIDE) $(PYTEST_FLAGS)

# Random bytes for every reader, by hand.
fuzz: $(VENV)/.test-ready
	$(BIN)/python tests/fuzz/run.py --minutes $(FUZZ_MINUTES) --record

lint: $(VENV)/.test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/npe2 validate napari-hep2 --imports

# The widgets on the other Qt, in an environment of its own.
test-pyqt6: $(VENV_PYQT6)/.test-ready
	$(VENV_PYQT6)/bin/python -m pytest -o qt_api=pyqt6 $(SIDE_BY_SIDE) $(PYTEST_FLAGS) \
	  tests/napari_hep2

# The sample specimens, and a model fitted on others: no specimen stands in both.
sample-data: $(VENV)/.demo-ready
	rm -rf $(SAMPLES)/specimens $(BUILD)
	$(BIN)/hep2 simulate $(SAMPLES)/specimens --specimens 6 --seed 2026 \
	  --set patterns=Homogeneous,Speckled,Nucleolar,Centromere,NuMem,Golgi \
	  --set cells_max=120
	$(BIN)/hep2 simulate $(BUILD)/simulated-specimens --specimens 60 --seed 501
	$(BIN)/hep2 run modern --data $(BUILD)/simulated-specimens \
	  --out $(BUILD)/run --protocol group-k
	$(BIN)/hep2 verdicts $(BUILD)/run
	$(BIN)/hep2 fit modern --data $(BUILD)/simulated-specimens \
	  --measured $(BUILD)/run --out $(SAMPLES)/model/simulated.safetensors

# The pictures of the README, of simulated data; RUN is what the trainer shows.
pictures: $(VENV)/.demo-ready
	$(DEMO) --pictures docs/images \
	  $(if $(wildcard $(RUN)/events.jsonl),--run $(RUN))

# The documentation as a site, in build/site.
site: docs/commands.md
	$(BIN)/zensical build --strict

docs/commands.md: $(VENV)/.test-ready $(wildcard training/cli/*.py)
	$(BIN)/typer training.cli utils docs --name hep2 --title Commands \
	  --output $@

wheel: $(VENV)/.test-ready
	rm -rf dist
	$(BIN)/python -m build --wheel

# The wheel alone, in an environment of its own.
installed: wheel
	PYTHON="$(PYTHON)" TORCH="$(TORCH)" TORCH_INDEX="$(TORCH_INDEX)" \
	  sh tools/installed-wheel.sh dist $(INSTALLED)

# What is in that environment, as CycloneDX, beside the wheel.
sbom: installed
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[audit]"
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
	  --output-file dist/napari-hep2.cdx.json $(INSTALLED)

clean:
	rm -rf build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis

# --- what is missing ---------------------------------------------------------

$(VENV)/.demo-ready: constraints.txt pyproject.toml tools/environment.sh tools/qt.sh | system
	PYTHON="$(PYTHON)" TORCH="$(TORCH)" TORCH_INDEX="$(TORCH_INDEX)" \
	  sh tools/environment.sh $(VENV) gui
	sh tools/qt.sh $(VENV) > $@.new
	mv $@.new $@

$(VENV)/.test-ready: constraints.txt pyproject.toml tools/environment.sh | system
	PYTHON="$(PYTHON)" TORCH="$(TORCH)" TORCH_INDEX="$(TORCH_INDEX)" \
	  sh tools/environment.sh $(VENV) pyqt5,cluster,onnx,zarr,dev
	touch $@

$(VENV_PYQT6)/.test-ready: constraints.txt pyproject.toml tools/environment.sh | system
	PYTHON="$(PYTHON)" TORCH="$(TORCH)" TORCH_INDEX="$(TORCH_INDEX)" \
	  sh tools/environment.sh $(VENV_PYQT6) pyqt6,dev
	touch $@

.PHONY: system
system:
	@PYTHON="$(PYTHON)" sh tools/system-packages.sh

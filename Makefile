# make demo   own environment, then the main job on generated data
# make test   own environment, then all tests
# make lint   own environment, then the linters and mypy
# make docs   own environment, then the documentation into build/site; warnings are errors
#
# STACK=openmmlab takes stock OpenMMLab in place of the maintained forks (mmcv is compiled: about 12 to 25 minutes on two
# cores). PYTHON=python3.12 takes another interpreter. TORCH=2.11.0 takes that PyTorch in place of the one in
# constraints.txt, with the torchvision that belongs to it, TORCH=newest the newest there is: `make test TORCH=2.11.0`.

STACK ?= onedl
PYTHON ?= python3
TORCH ?=
VENV ?= .venv-$(STACK)$(if $(TORCH),-torch-$(TORCH))
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check
CONSTRAINTS := $(VENV)/constraints.txt

# Larger allocations are kept by the process in place of being mapped anew each step: halves the time of a large step on
# the CPU.
export MALLOC_MMAP_THRESHOLD_ ?= 4294967295
export MALLOC_TRIM_THRESHOLD_ ?= 17179869184

.PHONY: demo test test-slow lint docs install clean

demo: $(INSTALLED)
	$(BIN)/python tools/demo.py

# One process per core, up to four; each with one thread, as the networks of the tests are tiny.
test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test-slow: $(INSTALLED)
	$(BIN)/python -m pytest -m slow

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(INSTALLED)
	$(PIP) install -q -c $(CONSTRAINTS) -e ".[$(STACK),docs]"
	$(BIN)/python -m sphinx -W --keep-going docs build/site

install: $(INSTALLED)

$(CONSTRAINTS): constraints.txt
	mkdir -p $(VENV)
	$(if $(TORCH),sed '/^torch/d',cat) constraints.txt > $@
	$(if $(filter-out newest,$(TORCH)),echo 'torch==$(TORCH)' >> $@)

# torch comes first and alone: with it in place, its pin keeps the others from pulling another build.
$(INSTALLED): setup.py $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c $(CONSTRAINTS) torch torchvision
ifeq ($(STACK),openmmlab)
	$(PIP) install "setuptools<81" wheel ninja psutil
	FORCE_CUDA=0 MMCV_WITH_OPS=1 $(PIP) install --no-build-isolation -c $(CONSTRAINTS) mmcv
endif
	$(PIP) install -c $(CONSTRAINTS) -e ".[$(STACK),dev]"
	touch $(INSTALLED)

clean:
	rm -rf .venv-* demo build *.egg-info

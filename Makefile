# make demo   own environment, then the main job on generated data
# make test   own environment, then all tests
# make lint   own environment, then the linters and mypy
# make docs   own environment, then the documentation into build/site; warnings are errors
# make lock   requirements.lock from setup.py and constraints.txt: all packages, also those that these need, with hashes
# make audit  look up known vulnerabilities of what is in requirements.lock; needs the internet
#
# STACK=openmmlab takes stock OpenMMLab in place of the maintained forks (mmcv is compiled: about 12 to 25 minutes on two
# cores). PYTHON=python3.12 takes another interpreter. TORCH=2.11.0 takes that PyTorch in place of the one in
# constraints.txt, with the torchvision that belongs to it, TORCH=newest the newest there is: `make test TORCH=2.11.0`.
# HASHES=1, for CI, installs what is in requirements.lock and nothing else: files with another hash are refused. It holds the
# stack of the forks for Python 3.11 and later.

STACK ?= onedl
PYTHON ?= python3
TORCH ?=
VENV ?= .venv-$(STACK)$(if $(TORCH),-torch-$(TORCH))
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEVELOPING := $(VENV)/.developing
PIP := $(BIN)/python -m pip --disable-pip-version-check
CONSTRAINTS := $(VENV)/constraints.txt

ifeq ($(filter onedl openmmlab,$(STACK)),)
$(error STACK must be onedl or openmmlab, got $(STACK))
endif
ifdef HASHES
ifneq ($(STACK)$(TORCH),onedl)
$(error HASHES=1 installs what is in requirements.lock, the stack onedl with one PyTorch: leave STACK and TORCH out, or HASHES)
endif
endif

.PHONY: demo test test-slow lint docs lock audit install clean

demo: $(INSTALLED)
	$(BIN)/python tools/demo.py

# One process per core, up to four; each with one thread, as the networks of the tests are tiny.
test: $(DEVELOPING)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test-slow: $(DEVELOPING)
	$(BIN)/python -m pytest -m slow

lint: $(DEVELOPING)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(INSTALLED)
	$(PIP) install -q -c $(CONSTRAINTS) -e ".[$(STACK),docs]"
	$(BIN)/python -m sphinx -W --keep-going docs build/site

# setuptools is what builds this package.
lock:
	printf 'setuptools>=77\n' | uv pip compile -q setup.py - --extra onedl --extra dev --extra docs -c constraints.txt \
		--universal --python-version 3.11 --generate-hashes --no-annotate --no-header -o requirements.lock

# --strict: a package that the service does not know, or a service that is not reached, is an error and not "none found".
audit:
	pip-audit --strict --require-hashes --disable-pip -r requirements.lock

install: $(DEVELOPING)

$(CONSTRAINTS): constraints.txt
	mkdir -p $(VENV)
	$(if $(TORCH),sed '/^torch/d',cat) constraints.txt > $@
	$(if $(filter-out newest,$(TORCH)),echo 'torch==$(TORCH)' >> $@)

# torch comes first and alone: with it in place, its pin keeps the others from pulling another build. --no-compile: Python
# compiles what is imported, which is half of it.
$(INSTALLED): setup.py $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
ifdef HASHES
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
else
	$(PIP) install --no-compile -c $(CONSTRAINTS) torch torchvision
ifeq ($(STACK),openmmlab)
	$(PIP) install "setuptools<81" wheel ninja psutil
	FORCE_CUDA=0 MMCV_WITH_OPS=1 $(PIP) install --no-build-isolation -c $(CONSTRAINTS) mmcv
endif
	$(PIP) install --no-compile -c $(CONSTRAINTS) -e ".[$(STACK)]"
endif
	touch $@

# With what tests and linters need.
$(DEVELOPING): $(INSTALLED)
ifdef HASHES
	$(PIP) install --require-hashes -r requirements.lock
else
	$(PIP) install -c $(CONSTRAINTS) -e ".[$(STACK),dev]"
endif
	touch $@

clean:
	rm -rf .venv-* demo build *.egg-info

# Set-up and the project's main commands. Needs Python 3.11 (with venv), git and make; see `make help`.

PYTHON ?= python3.11
VENV ?= .venv
# Index of PyTorch wheels to use instead of pip's own, e.g. for a CPU build or a given CUDA version.
TORCH_INDEX ?=
# Stages that run at once; one a core, as far as memory goes, unless it is given.
JOBS ?=

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
STAMP_DEV := $(VENV)/.installed-dev
STAMP_UI := $(VENV)/.installed-ui
PIP := PYTHONWARNINGS=ignore $(BIN)/python -m pip --disable-pip-version-check
# Compiling to byte code is left to the first import, of what is imported: all of it takes a third
# of the time of installing. So that import must be free to write.
LOCKED := --no-compile --constraint requirements.lock
RUN := PATH="$(CURDIR)/$(BIN):$$PATH" PYTHONDONTWRITEBYTECODE= PYTHONWARNINGS=ignore \
	MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=1 DVC_NO_ANALYTICS=1 HF_HUB_OFFLINE=1 \
	NO_ALBUMENTATIONS_UPDATE=1
MAKEFLAGS += --no-print-directory

# One line, and make stops: expanded in a recipe, so that `make help` works without any of it.
python_ok = $(shell command -v $(PYTHON) >/dev/null 2>&1 && echo yes)
version_ok = $(shell $(PYTHON) -c 'import sys; print("yes" * (sys.version_info[:2] == (3, 11)))' 2>/dev/null)
venv_ok = $(shell $(PYTHON) -c 'import venv, ensurepip; print("yes")' 2>/dev/null)
git_ok = $(shell command -v git >/dev/null 2>&1 && echo yes)
repository_ok = $(shell git rev-parse --git-dir >/dev/null 2>&1 && echo yes)
need_git = $(if $(git_ok),,$(error git not found: install git (Debian, Ubuntu: apt-get install git)))
need_repository = $(if $(repository_ok),,$(error not a git repository: get the project with git clone, not as an archive))
need_python = $(if $(python_ok),,$(error $(PYTHON) not found: install Python 3.11 or name it: make PYTHON=/path/to/python3.11))
need_version = $(if $(version_ok),,$(error $(PYTHON) is not Python 3.11: install Python 3.11 or name it: make PYTHON=/path/to/python3.11))
need_venv = $(if $(venv_ok),,$(error $(PYTHON) has no venv module: install it (Debian, Ubuntu: apt-get install python3.11-venv)))
REQUIRE = @$(need_git)$(need_repository)$(need_python)$(need_version)$(need_venv):

.DEFAULT_GOAL := help
.PHONY: help repro test smoke all ui ops lint
.DELETE_ON_ERROR:

help:  ## this list
	@echo "make TARGET [PYTHON=python3.11] [TORCH_INDEX=URL] [JOBS=N]"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '%-8s %s\n' "  $$name" "$$text"; done

repro: $(STAMP)  ## set up, print plan and expected time, reproduce the headline table, say where it is
	@$(RUN) python -m workbench.repro headline $(if $(JOBS),--jobs $(JOBS))
	@$(RUN) python -m workbench.stages.report

test: $(STAMP_DEV)  ## set up and run the whole test suite
	@$(RUN) python -m pytest

smoke: $(STAMP)  ## the whole flow at smoke scale, in a copy of its own: minutes, meaningless numbers
	@$(RUN) python -m workbench.smoke

all: $(STAMP)  ## every table
	@$(RUN) python -m workbench.repro table headline $(if $(JOBS),--jobs $(JOBS))

ui: $(STAMP_UI)  ## MLflow on the local store of runs, with the tables that are not in it yet
	-@$(RUN) python -m workbench.cli.main sync
	@$(RUN) MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false \
		mlflow ui --workers 1 --backend-store-uri "sqlite:///$(CURDIR)/mlflow.db"

ops: $(STAMP)  ## compile mmcv's operators (10 to 25 minutes on two cores), for models that need them
	$(PIP) install $(LOCKED) setuptools wheel ninja
	$(RUN) MMCV_WITH_OPS=1 $(PIP) install --no-build-isolation --no-cache-dir --force-reinstall \
		--no-deps $$(grep '^onedl-mmcv==' requirements.lock)
	@$(RUN) python -c "import torch, mmcv._ext; print('mmcv: operators compiled')"

lint: $(STAMP_DEV)  ## ruff, mypy, import-linter and codespell
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@$(RUN) lint-imports
	@$(RUN) codespell

$(BIN)/python:
	$(REQUIRE)
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv $(VENV)

# mmcv's source is built here without torch in sight, hence in seconds and without operators.
$(STAMP): $(BIN)/python pyproject.toml requirements.lock
	$(REQUIRE)
	@$(PIP) install --quiet $(LOCKED) pip
	@$(if $(TORCH_INDEX),$(PIP) install --quiet $(LOCKED) --index-url $(TORCH_INDEX) torch)
	@$(PIP) install --quiet $(LOCKED) --editable .
	@touch $@

$(STAMP_DEV): $(STAMP)
	@$(PIP) install --quiet $(LOCKED) --editable '.[dev]'
	@touch $@

$(STAMP_UI): $(STAMP)
	@$(PIP) install --quiet $(LOCKED) --editable '.[ui]'
	@touch $@

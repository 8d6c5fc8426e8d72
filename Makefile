# Everything by one word. Needs git, make and Python 3.11 or newer with venv; the rest comes from PyPI into .venv.

.DEFAULT_GOAL := help
.PHONY: help demo test test-all coverage test-mujoco test-socketcan check format bench fuzz faults mutants signature drawings clean

PYTHON ?=
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
BIN := $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS)
OFFLINE_HINT = echo "make: the packages could not be installed, see above. PyPI must be reachable (pip's own settings apply)." >&2
# One worker per core; a run folder and a simulation fit into memory many times over.
PYTEST_ARGS ?= -n auto

help:  ## Show this list.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22

demo: $(VENV)/.installed-sim  ## Climb the whole ladder with the demo policy on the simulated robot.
	$(BIN)/handrail run pup --policy pup_walk --sim --fast

test: $(VENV)/.installed-dev  ## Run the tests, without the slow ones.
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS)

test-all: $(VENV)/.installed-dev  ## Run all tests, the slow ones too.
	$(BIN)/python -m pytest $(PYTEST_ARGS)

coverage: $(VENV)/.installed-dev  ## Cover the safety core and the guardian whole, line and branch; less than that fails.
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS) tests/safety tests/guardian --cov

check: $(VENV)/.installed-dev  ## Lint, formatting, types, and who imports whom.
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev  ## Format the sources, and fix what lint can fix.
	$(BIN)/python -m ruff format .
	$(BIN)/python -m ruff check --fix .

bench: $(VENV)/.installed-dev  ## Measure, and print the table that the README shows.
	$(BIN)/python -m benchmarks.run

# Figures of fewer inputs than a million do not belong into the page.
INPUTS ?= 1000000
fuzz: $(VENV)/.installed-dev  ## Try damaged bytes on every decoder, for minutes; shorter: make fuzz INPUTS=10000
	$(BIN)/python -m tests.fuzz.campaign --inputs $(INPUTS) $(if $(filter 1000000,$(INPUTS)),--write docs/fuzzing.md)

faults: $(VENV)/.installed-dev  ## Break everything in every stage, for half an hour on a quiet machine; the table goes to docs/faults.md
	$(BIN)/python -m benchmarks.faults --write docs/faults.md

# No plug-ins: each mutant starts pytest once more.
mutants: export PYTEST_DISABLE_PLUGIN_AUTOLOAD = 1
mutants: $(VENV)/.installed-dev  ## Change one small thing at a time: a test has to notice; ten minutes, the table goes to docs/mutants.md
	rm -rf mutants
	$(BIN)/mutmut run
	$(BIN)/python -m tests.mutants --write docs/mutants.md

signature: $(VENV)/.installed-sim  ## Make the demo robot's signature again (after a change to its model or wiring).
	$(BIN)/handrail signature pup

drawings: $(VENV)/.installed-sim  ## Draw the missions again, for the README and the docs.
	for mission in deployment incremental_activation speed_progression teleoperation; do \
	  $(BIN)/handrail tree $$mission --robot pup --format svg -o docs/$$mission.svg || exit; done

# The range of MuJoCo versions is wide, and what is pinned is its newest end: this tries another version.
test-mujoco:  ## Run the simulation's tests with another MuJoCo: make test-mujoco MUJOCO=3.3.7
	@test -n "$(MUJOCO)" || { echo "make: say which version: make test-mujoco MUJOCO=3.3.7" >&2; exit 2; }
	mkdir -p build
	grep -v '^mujoco' constraints.txt > build/constraints-mujoco.txt
	echo "mujoco==$(MUJOCO)" >> build/constraints-mujoco.txt
	$(MAKE) VENV=build/venv-mujoco-$(MUJOCO) CONSTRAINTS=build/constraints-mujoco.txt build/venv-mujoco-$(MUJOCO)/.installed-dev
	build/venv-mujoco-$(MUJOCO)/bin/python -m pytest -m "not slow" $(PYTEST_ARGS) tests/drivers tests/acceptance

# Importing is slow in there: no plug-ins, and not the shared fixtures, which import more than these tests need.
test-socketcan: $(VENV)/.installed-dev  ## Run the SocketCAN tests, in a small virtual machine with CAN interfaces.
	PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 tests/vm/socketcan_vm.sh $(BIN)/python -m pytest --noconftest -p no:cacheprovider \
	  --color=no tests/drivers/can/test_socketcan_vm.py

clean:  ## Remove everything that was made here, except run folders.
	rm -rf $(VENV) build dist mutants *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps change when what is installed has to change.
$(VENV)/.installed-sim: $(VENV)/.made pyproject.toml $(CONSTRAINTS)
	@echo "make: installing Handrail and its simulation into $(VENV)"
	@$(PIP) -e '.[sim]' || { $(OFFLINE_HINT); exit 1; }
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.made pyproject.toml $(CONSTRAINTS)
	@echo "make: installing Handrail and its development tools into $(VENV)"
	@$(PIP) -e '.[dev]' || { $(OFFLINE_HINT); exit 1; }
	@touch $@ $(VENV)/.installed-sim

# Debian's python3 comes without venv, and macOS's is old: both are told in words.
$(VENV)/.made:
	@set -e; \
	for candidate in $(PYTHON) $(if $(PYTHON),,python3 python3.13 python3.12 python3.11); do \
	  command -v $$candidate >/dev/null 2>&1 || continue; \
	  found="$${found:+$$found, }$$candidate ($$($$candidate -c 'import sys; print(sys.version.split()[0])' 2>/dev/null || echo broken))"; \
	  $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  python=$$candidate; break; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "make: Python 3.11 or newer is missing; found: $${found:-none}." >&2; \
	  echo "      Install it (Debian, Ubuntu: sudo apt install python3 python3-venv)," >&2; \
	  echo "      or say where it is: make <target> PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	if ! $$python -c 'import venv, ensurepip' 2>/dev/null; then \
	  version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "make: $$python has no venv module, which makes the project's own environment." >&2; \
	  echo "      Install it (Debian, Ubuntu: sudo apt install python$$version-venv)." >&2; exit 1; \
	fi; \
	echo "make: making $(VENV) with $$python"; \
	$$python -m venv $(VENV); \
	touch $@

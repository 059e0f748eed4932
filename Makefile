# The few commands a person needs. Everything that is missing is installed; nothing outside this folder is
# changed except packages of the machine (as root) and the lab's cache under XDG_CACHE_HOME.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := pip --quiet --disable-pip-version-check
SEEDS ?= 500

.PHONY: help demo test ready unit lab-tests nightly watch-soak page-tests s3-tests vm-tests libvirt-tests kube-tests docker-tests cri-tests lint format bench soak faults compat fidelity floors newest pythons docs lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/installed: pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { apt-get install -qqy python3-venv && $(PYTHON) -m venv --clear $(VENV); }
	@$(BIN)/$(PIP) install --require-hashes -r requirements/dev.txt
	@$(BIN)/$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

demo: $(VENV)/installed ## Two real hosts, one container, a live move, and one that is put back
	@$(BIN)/python -m tests.demo

test: ready unit lab-tests ## All tests: unit and simulation first, then real hosts

ready: $(VENV)/installed
	@$(BIN)/python -m tests.require_lab

unit: $(VENV)/installed
	@SEEDS=$(SEEDS) $(BIN)/python -m pytest -q -n auto --dist loadfile -m 'not lab and not page and not s3 and not nightly' tests

# Two labs at a time: a test of real hosts waits more than it computes.
lab-tests: ready
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m 'lab and not nightly and not vm and not libvirt and not docker and not cri and not kube' tests

nightly: ready ## The lab tests that take too long for every change
	@$(BIN)/python -m pytest -q -m 'nightly and not vm and not libvirt and not docker and not cri and not kube' tests

$(VENV)/page: $(VENV)/installed requirements/page.txt
	@command -v chromium >/dev/null || apt-get install -qqy chromium
	@$(BIN)/$(PIP) install --require-hashes -r requirements/page.txt
	@touch $@

watch-soak: ready ## Twenty minutes of what people do to hosts under a watch
	@WATCH_SOAK=1200 $(BIN)/python -m pytest -q -s --timeout=0 tests/lab/test_long_day.py

page-tests: $(VENV)/page ## The pages of a watch, in Debian's Chromium
	@$(BIN)/python -m pytest -q -m page tests/page

$(VENV)/s3: $(VENV)/installed requirements/s3.txt
	@command -v restic >/dev/null || apt-get install -qqy restic
	@$(BIN)/$(PIP) install --require-hashes -r requirements/s3.txt
	@touch $@

s3-tests: $(VENV)/s3 ## Checkpoints in S3, on a server of this machine
	@$(BIN)/python -m pytest -q -m s3 tests/stores

vm-tests: ready ## Tests on stock virtual machines; slow without KVM
	@$(BIN)/python -m pytest -q -m vm tests

kube-tests: ready ## Tests against a Kubernetes API server, built once from Debian's packages
	@$(BIN)/python -m pytest -q -m kube tests/kube tests/clusters

libvirt-tests: ready ## Tests of virtual machines moved by libvirt, emulated
	@$(BIN)/python -m pytest -q -m libvirt tests

docker-tests: ready ## Tests of the runtime docker, on hosts with Docker
	@$(BIN)/python -m pytest -q -m docker tests

cri-tests: ready ## Tests of the runtime cri, on hosts with containerd
	@$(BIN)/python -m pytest -q -m cri tests

lint: $(VENV)/installed ## Style, types, shell scripts
	@$(BIN)/ruff check reconciler tests
	@$(BIN)/ruff format --check reconciler tests
	@$(BIN)/mypy
	@find templates tests -name '*.sh' -exec $(BIN)/shellcheck --shell=sh {} +
	@$(BIN)/shellcheck .ci/run

format: $(VENV)/installed
	@$(BIN)/ruff format reconciler tests
	@$(BIN)/ruff check --fix reconciler tests

bench: $(VENV)/installed ## Against the manual sequence, in the lab: make bench ARGS="--quick"
	@$(BIN)/python -m tests.bench $(ARGS)

soak: $(VENV)/installed ## Simulated faults, nightly: make soak SEEDS=50000
	@SEEDS=$(SEEDS) $(BIN)/python -m pytest -q tests/sim --timeout=0 -s

faults: ready ## Faults on real hosts; of other runtimes: make faults ARGS="--runtime docker"
	@$(BIN)/python -m tests.faults $(ARGS)

compat: ready ## Real programs (redis, postgres, node, ...) moved there and back with clients attached
	@$(BIN)/python -m tests.compat --write-docs

fidelity: ready ## All that can be read of a workload, before and after moves; each difference has a reason
	@$(BIN)/python -m tests.fidelity --write-docs

floors: $(VENV)/installed ## Unit tests with the lowest versions pyproject allows
	@$(BIN)/python -m tests.versions floors

newest: $(VENV)/installed ## Unit tests with the newest of everything, whatever the lock says
	@$(BIN)/python -m tests.versions newest

pythons: ready ## Unit tests on every newer Python at hand, on Debian 13's and on the newest in Debian
	@$(BIN)/python -m tests.versions pythons $(ARGS)

docs: $(VENV)/installed ## Write what is generated: schemas, tables of docs/json.md, docs/commands.md, the man page; check links
	@$(BIN)/reconcile schema
	@$(BIN)/python -m tests.cli.json_docs
	@$(BIN)/typer reconciler.cli.main utils docs --name reconcile --output docs/commands.md
	@command -v go-md2man >/dev/null || apt-get install -qqy go-md2man
	@$(BIN)/python -m tests.cli.man_page
	@$(BIN)/python -m pytest -q tests/cli/test_docs.py -k 'links or commands_that_are_told'

# Made on the oldest Python: what only that one needs is then in it, and the same file serves every newer one.
COMPILE := build/lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-annotate \
	--no-emit-options --no-emit-index-url --no-emit-trusted-host --no-emit-find-links

lock: export CUSTOM_COMPILE_COMMAND = make lock
lock: ARGS ?= --upgrade
lock: ## The newest of everything into requirements/; ARGS=--no-upgrade keeps what still fits
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "Locks are made on Python 3.11: make lock PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv --clear build/lock
	@build/lock/bin/$(PIP) install --require-hashes -r requirements/lock.txt
	@$(COMPILE) $(ARGS) -o requirements/lock.txt requirements/lock.in
	@$(COMPILE) $(ARGS) --extra dev --all-build-deps -o requirements/dev.txt pyproject.toml
	@$(COMPILE) $(ARGS) -c requirements/dev.txt -o requirements/runtime.txt pyproject.toml
	@$(COMPILE) $(ARGS) -c requirements/dev.txt -o requirements/page.txt requirements/page.in
	@$(COMPILE) $(ARGS) -c requirements/dev.txt -o requirements/s3.txt requirements/s3.in

clean: ## Remove what was built here
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

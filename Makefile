# One environment, .venv, made by whichever target needs it first. `make` alone prints this list.

PYTHON ?= python3
VENV   := .venv
BENCH  := $(VENV)-bench
PEERS  := $(VENV)-peers
PLACEMENT := $(VENV)-placement
CLIENTS := $(VENV)-clients
SCHEMATHESIS := $(VENV)-schemathesis
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# What an installed package comes with: without it every start of an editable install compiles its sources anew.
COMPILE := $(BIN)/python -m compileall -q os_capability host_agent migrations

# Tests at a time. Many hold a daemon to seconds: more of them than there are cores, and it is the machine that is tested.
WORKERS := 2

.DEFAULT_GOAL := help
.PHONY: help run test test-api test-clients test-engines test-galera test-placement test-restart test-systemd check format bench bench-peers samples api-samples hosts fuzz deb clean

help: ## print this list
	@echo "os-capability: what every compute node can give"; echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/.core ## read this machine, store it in the embedded SQLite file and print the stored row
	@$(COMPILE)
	@echo "==> Bringing the embedded database to the newest schema"
	@$(BIN)/host-agent db upgrade
	@echo "==> Reading this machine and storing it as a row of compute_host"
	@$(BIN)/host-agent once

test: $(VENV)/.test ## the whole test suite: on SQLite, and on PostgreSQL and MariaDB where they answer
	@$(COMPILE)
	@echo "==> Running the tests"
	@$(BIN)/python -m pytest -q --numprocesses $(WORKERS) --dist worksteal $(TESTS)

test-engines: $(VENV)/.libvirt ## what runs here, told by a real Docker, Podman and libvirt; root on Debian
	@$(BIN)/python -m pytest -q tests/engines

test-galera: $(VENV)/.test ## the write path on a MariaDB Galera cluster of three; root on Debian
	@$(BIN)/python -m pytest -q tests/galera

test-systemd: $(VENV)/.test ## the service and the package in containers with a real systemd; root on Debian
	@$(BIN)/python -m pytest -q tests/systemd

test-placement: $(VENV)/.test $(PLACEMENT)/.ready ## this host in a real OpenStack Placement, read back with its own command line
	@OS_CAPABILITY_TEST_PLACEMENT_BIN=$(PLACEMENT)/bin $(BIN)/python -m pytest -q tests/placement

test-api: $(VENV)/.test $(SCHEMATHESIS)/.ready ## thousands of requests made of the API's own description; API_SEED repeats a run
	@OS_CAPABILITY_TEST_SCHEMATHESIS_BIN=$(SCHEMATHESIS)/bin $(BIN)/python -m pytest -q -rP tests/api

test-clients: $(VENV)/.test $(CLIENTS)/.ready ## the API by OpenStack's own clients, by tempest, and behind a real Keystone
	@$(COMPILE)
	@OS_CAPABILITY_TEST_HOST_AGENT_BIN=$(BIN) $(CLIENTS)/bin/python -m pytest -q -W default tests/clients

test-restart: $(VENV)/.test ## the API under load for a minute while its database is restarted
	@OS_CAPABILITY_TEST_RESTART_SECONDS=60 $(BIN)/python -m pytest -q --numprocesses 2 tests/host_agent/process/test_api_restart.py

check: $(VENV)/.lint ## style, types and import contracts
	@echo "==> Style"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@echo "==> Types"
	@$(BIN)/mypy
	@echo "==> Import contracts"
	@$(BIN)/lint-imports --no-cache > $(VENV)/imports.txt || { cat $(VENV)/imports.txt; exit 1; }

fuzz: $(VENV)/.test ## read 2,000 trees with something wrong in them, and say how to repeat what fails
	@$(BIN)/python -m tests.fuzz --count $(or $(FUZZ_COUNT),2000)

format: $(VENV)/.lint ## write the sources in the project's style
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

bench: $(BENCH)/.ready ## time reading, showing and storing, each beside a floor or a peer of the same run
	@for benchmark in benchmarks/bench_*.py; do $(BENCH)/bin/python $$benchmark || exit 1; done

bench-peers: $(BENCH)/.ready $(PEERS)/.ready ## measure beside other tools that read a machine, and write docs/performance.md
	@$(BENCH)/bin/python benchmarks/peers.py --peers $(PEERS)/bin

samples: $(VENV)/.test ## write the generated texts anew: etc/*.sample, the table in docs/configuration.md
	@$(BIN)/host-agent config sample > etc/host-agent.conf.sample
	@$(BIN)/host-agent config policy > etc/policy.yaml.sample
	@$(BIN)/host-agent config sample -f markdown > $(VENV)/options.md
	@sed -i -e '/<!-- options -->/,/<!-- \/options -->/ { /<!--/!d }' -e '/<!-- options -->/r $(VENV)/options.md' docs/configuration.md

api-samples: $(VENV)/.test ## write the samples of docs/api.md anew
	@$(BIN)/python -m tests.host_agent.api.samples

hosts: $(VENV)/.test ## write the invented machines of tests/hosts anew
	@$(BIN)/python -m tests.machines

deb: $(VENV)/.core ## a Debian package into dist/, for the release and the Python that this runs on
	@echo "==> Building the package, dependencies included"
	@PYTHON=$(BIN)/python debian/build dist

clean: ## remove the environment and every cache
	@rm -rf $(VENV) $(BENCH) $(PEERS) $(PLACEMENT) $(CLIENTS) $(SCHEMATHESIS) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@echo "==> Making the environment in $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.core: setup.cfg pyproject.toml | $(VENV)/bin/python
	@echo "==> Installing os-capability and what it needs into $(VENV)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.test: setup.cfg pyproject.toml | $(VENV)/bin/python
	@echo "==> Installing os-capability, the database drivers and the test tools into $(VENV)"
	@$(PIP) --editable '.[all,test]'
	@touch $(VENV)/.core $@

$(VENV)/.libvirt: $(VENV)/.test
	@echo "==> Building libvirt's bindings"
	@$(PIP) --editable '.[libvirt]'
	@touch $@

$(VENV)/.lint: $(VENV)/.test
	@echo "==> Installing the style and type checkers"
	@$(PIP) --editable '.[lint]'
	@touch $@

# Not editable: the finder of an editable install slows the empty Python that everything is measured against.
$(BENCH)/.ready: setup.cfg pyproject.toml $(shell find os_capability host_agent migrations -name '*.py')
	@echo "==> Making the environment to measure in, $(BENCH), with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check '.[all,bench]'
	@rm -rf build
	@touch $@

# What others have written, in an environment of its own. Programs that pip does not have (lscpu, lstopo, facter, numactl)
# are used where they are installed.
$(PEERS)/.ready: Makefile
	@echo "==> Installing the peers to measure against into $(PEERS)"
	@$(PYTHON) -m venv --clear $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check psutil py-cpuinfo ansible-core zun
	@touch $@

$(PLACEMENT)/.ready: tests/placement/requirements.txt
	@echo "==> Installing OpenStack Placement and its command line into $(PLACEMENT)"
	@$(PYTHON) -m venv --clear $(PLACEMENT)
	@$(PLACEMENT)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(SCHEMATHESIS)/.ready: tests/api/requirements.txt
	@echo "==> Installing Schemathesis into $(SCHEMATHESIS)"
	@$(PYTHON) -m venv --clear $(SCHEMATHESIS)
	@$(SCHEMATHESIS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# With pytest in it: the clients are called as libraries, and what they talk to is a process of ours.
$(CLIENTS)/.ready: tests/clients/requirements.txt
	@echo "==> Installing the clients, tempest and Keystone into $(CLIENTS)"
	@$(PYTHON) -m venv --clear $(CLIENTS)
	@$(CLIENTS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

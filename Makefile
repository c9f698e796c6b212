# Every path here is relative and quoted by the shell, not held in a variable: the checkout may lie under a path
# with spaces, which make's own lists cannot carry. Programs of the environment run as modules for the same reason.

.DEFAULT_GOAL := help
.PHONY: help demo test simulate screenshots check format pages clean
.NOTPARALLEL: # two targets at once would both fill .venv

PYTHON_RUN := .venv/bin/python -m
# Tests mostly wait for processes, so two workers more than there are cores; each holds a mesh, so no more than four.
WORKERS := $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores < 2 ? 3 : 4)))

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' Makefile

demo: ## start a small mesh, send a film through it, clean up (installs what is missing)
	@sh scripts/bootstrap all
	@scripts/demo

test: ## run the tests (installs what is missing); ARGS="-k name" goes to pytest
	@sh scripts/bootstrap test
	@$(PYTHON_RUN) pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

simulate: ## play more seeds of the mesh in a bottle: make simulate SEEDS=10000 FROM=200
	@sh scripts/bootstrap test
	@PYTHONPATH=tests $(PYTHON_RUN) simulation.play --seeds $(or $(SEEDS),1000) --from $(or $(FROM),0)

screenshots: ## make the pictures of docs/dashboard anew
	@sh scripts/bootstrap test
	@PYTHONPATH=tests $(PYTHON_RUN) client.tui.screenshots docs/dashboard

check: ## run every static check: format, lint, types
	@sh scripts/bootstrap dev
	@sh scripts/check

format: ## put everything into the project's format, and mend what lint can mend
	@sh scripts/bootstrap dev
	@$(PYTHON_RUN) ruff check --fix-only .
	@$(PYTHON_RUN) ruff format .

pages: ## write the pages of docs/ that come from the code
	@sh scripts/bootstrap test
	@.venv/bin/python scripts/configuration.py

clean: ## remove all that was made here, .venv too; packages from apt stay
	rm -rf .venv .cache dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Every target sets up what it needs and is idempotent. docs/design.md and CONTRIBUTING.md say what each is for.
PYTHON ?= python3
BIN := .venv/bin
# Tests wait more than they compute: two at a time, a file staying with one process because its fixtures are dear. Those
# marked "alone" go first, by themselves.
JOBS ?= 2
PREPARE := $(PYTHON) scripts/prepare.py

.PHONY: help run test check inner soak bench images docs requirements

help: ## List the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: ## Set up what is missing, then run a hub on http://127.0.0.1:8000 in the foreground
	@$(PYTHON) scripts/run.py

test: ## Everything the CI runs: set-up, checks, then unit, property, integration, hub and browser tests
	@$(PREPARE) test
	@status=0; \
	$(MAKE) --no-print-directory check || status=$$?; \
	$(BIN)/python -m pytest -m alone tests/integration || status=$$?; \
	$(BIN)/python -m pytest -m "not alone" -n $(JOBS) --dist loadfile --no-loadscope-reorder || status=$$?; \
	exit $$status

check: ## Format, lint, types, templates, spelling
	@$(PREPARE) venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/djlint versatilehub/templates --check --lint --quiet
	$(BIN)/codespell

inner: ## The fast loop: lint, types, unit and property tests; needs no engine
	@$(PREPARE) venv
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n $(JOBS) tests/unit tests/property

soak: ## The long form of tests that come in two lengths: 50 capped volumes, 20 rounds, 5 kills, 3 reboots
	@$(PREPARE) test
	VERSATILEHUB_SOAK=1 $(BIN)/python -m pytest tests/integration/test_caps_many.py

bench: ## Measure against stock DockerSpawner; prints a table and writes benchmarks/results.json
	@$(PREPARE) test
	$(BIN)/python -m benchmarks

images: ## Build the project's images, whatever is missing
	@$(PREPARE) images

docs: ## Generate docs/reference from the code and check the links of every page
	@$(PREPARE) venv
	$(BIN)/python scripts/docs.py

requirements: ## Each requirement ID with its passing tests, from the last test run
	@$(PYTHON) scripts/requirements.py

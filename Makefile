# `make help` lists the targets by purpose.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8080
GRADIO_PORT ?= 7860
INPUT ?=
OUTPUT ?=
WORKERS ?= 1
FORMAT ?= jsonl
JOBS ?= 2
export KERAS_BACKEND ?= tensorflow
export TF_CPP_MIN_LOG_LEVEL ?= 2

SERVE := .venv/bin/python
# As in app.yaml, which gives the reasons.
MALLOC := MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=1048576 MALLOC_TRIM_THRESHOLD_=8388608
TEST := .venv-test/bin/python
MODELS ?=
TRAIN := .venv-train/bin/python
BENCH := .venv-bench/bin/python
GRADIO := .venv-gradio/bin/python
BATCH := .venv-batch/bin/python
GPU := .venv-gpu/bin/python
LINT := .venv-lint/bin
EXTRAS := test train lab gpu gradio batch integrations clients bench docs lint audit
INTEGRATIONS := tests/integrations tests/clients

help: ## list these targets
	@sed -n -e 's/^##@ \(.*\)/\n\1/p' -e 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 20

##@ Run

run: .venv/.installed ## install what a server needs and serve on http://127.0.0.1:8080 (PORT=8000, HOST=0.0.0.0; MODELS=, EXPRESSION_HEAD=)
	exec env $(MALLOC) $(SERVE) -m gunicorn --bind $(HOST):$(PORT) main:app

gradio: .venv-gradio/.installed ## serve the library with Gradio's components on http://127.0.0.1:7860 (GRADIO_PORT=)
	exec $(GRADIO) -m scripts.demo.gradio_app --port $(GRADIO_PORT)

##@ Use

batch: .venv-batch/.installed ## analyze all photos of INPUT='photos/**/*.jpg' into OUTPUT=folder (WORKERS=, FORMAT=jsonl or parquet; docs/batch.md)
	@test -n "$(INPUT)" -a -n "$(OUTPUT)" || { echo "Name photos and results: make batch INPUT='photos/**/*.jpg' OUTPUT=out" >&2; exit 1; }
	$(BATCH) -m scripts.batch --input '$(INPUT)' --output '$(OUTPUT)' --workers $(WORKERS) --format $(FORMAT)

# Settings are environment variables, and make passes on those of its command line: make notebooks SAMPLE=500 FACES=...
notebooks: .venv-train/.installed ## run the notebooks; copies with their results go to build/notebooks/ (SAMPLE=: number of faces)
	$(TRAIN) -m scripts.docs.notebooks

lab: .venv-lab/.installed ## open the notebooks in JupyterLab
	.venv-lab/bin/python -m jupyterlab scripts/notebooks

##@ Test

# Some tests run make themselves: it must not inherit the options and jobs of this make.
PYTEST := env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL $(TEST) -m pytest -n $(JOBS) --dist loadfile
COVERAGE := --cov --cov-report=term-missing:skip-covered

test: .venv-test/.installed ## run the tests in about 9 minutes on two cores, and print which lines of emotions/ and web/ no test reached (JOBS=2)
	@$(PYTEST) -m 'not slow and not sandbox' $(COVERAGE) $(addprefix --ignore=,$(INTEGRATIONS))

test-all: .venv-test/.installed ## run all tests: also the slow ones, those in a sandbox (as root) and those of the integrations
	@status=0; \
	$(PYTEST) $(COVERAGE) $(addprefix --ignore=,$(INTEGRATIONS)) || status=1; \
	$(MAKE) --no-print-directory test-integrations test-clients --keep-going || status=1; \
	exit $$status

test-integrations: .venv-integrations/.installed ## run the tests of Gradio and Apache Beam
	.venv-integrations/bin/python -m pytest --confcutdir=tests/integrations tests/integrations

test-clients: .venv-clients/.installed ## generate clients of the API in Python and TypeScript (needs Java and Node.js) and call it with them
	.venv-clients/bin/python -m pytest --confcutdir=tests/clients tests/clients

lint: .venv-lint/.installed ## check style, formatting, annotations and spelling
	$(LINT)/ruff check
	$(LINT)/ruff format --check
	$(LINT)/mypy
	$(LINT)/codespell

format: .venv-lint/.installed ## format the code and apply the fixes that are safe
	$(LINT)/ruff check --fix
	$(LINT)/ruff format

# An installed package keeps its version where pyproject.toml still allows it, unless UPGRADE=1. All environments agree with the server's.
requirements: .venv-lint/.installed ## compile requirements*.txt, with hashes, from the extras in pyproject.toml (UPGRADE=1: newest versions)
	$(LINT)/uv pip compile --quiet $(if $(UPGRADE),--upgrade) --extra server --output-file requirements.txt pyproject.toml
	for extra in $(EXTRAS); do \
	  $(LINT)/uv pip compile --quiet $(if $(UPGRADE),--upgrade) --extra $$extra --constraints requirements.txt --output-file requirements-$$extra.txt pyproject.toml || exit 1; \
	done

##@ Train

# Data sets are not part of the repository: name the archives once, the prepared faces are kept in data/.
FACES ?= fer2013.zip
VOTES ?= fer2013new.csv.gz
CONFIG ?= scripts/configs/vgg16.toml
RUN ?= runs/vgg16
PRECISION ?=
INIT ?=
EPOCHS ?=
DRAWN ?=
STYLES ?= data/sources/dicebear
HEADS ?= data/ict_facekit.npz
SEED ?=
COUNT ?= 20000
LIMIT ?=
TABLE ?=
EXTRA ?=
OTHERS ?=
RENDERED ?=
LONDON ?= data/london

%.npz:
	@echo '$@ does not exist: `$(TEST) -m scripts.data.prepare --help` says how to make tables' >&2; exit 1

data/fer2013.npz: | .venv-test/.installed
	$(TEST) -m scripts.data.prepare --faces $(FACES) $(addprefix --votes ,$(VOTES)) --out $@

$(STYLES): | .venv-train/.installed
	$(TRAIN) -m scripts.data.fetch dicebear

data/drawn.npz: | $(STYLES) .venv-train/.installed
	$(TRAIN) -m scripts.synthetic.generate --styles $(STYLES) --count $(COUNT) --out $@

synthetic: data/drawn.npz ## render drawn faces in DiceBear's styles (STYLES=: their definitions, downloaded if absent; COUNT=)

data/ict_facekit.npz: | .venv-train/.installed
	$(TRAIN) -m scripts.data.fetch ict_facekit
	$(TRAIN) -m scripts.synthetic.heads.geometry.pack --folder data/sources/ict_facekit/FaceXModel --out $@

data/smiles.npz: data/facial_expressions.npz data/fer2013.npz | .venv-test/.installed
	$(TEST) -m scripts.synthetic.smiles $^ --out $@

smiles: data/smiles.npz ## warp mild smiles into the photographs of neutral faces: data/smiles.npz (FACES=, VOTES=: FER2013's archives)

# An interrupted rendering resumes; a larger COUNT adds to a smaller one.
heads: $(HEADS) .venv-train/.installed ## render 3D characters with known expressions into data/heads.npz (HEADS=: the head model, downloaded if absent; COUNT=, SEED=; JOBS=: processes, by default one a CPU)
	$(TRAIN) -m scripts.synthetic.heads.dataset.generate --heads $(HEADS) --count $(COUNT) $(if $(filter file,$(origin JOBS)),,--jobs $(JOBS)) $(addprefix --seed ,$(SEED))

train: $(or $(TABLE),data/fer2013.npz) $(DRAWN) $(OTHERS) $(RENDERED) .venv-train/.installed ## train backbone and heads (FACES=, VOTES=: the archives, or TABLE=: your own table; VOTES= for labels alone; CONFIG=, RUN=; INIT=: initial backbone; EPOCHS=10+5: of each stage; DRAWN=: drawn faces to add; OTHERS=, RENDERED=: further and rendered faces, for the head `mixed`)
	$(TRAIN) -m scripts.train.base --config $(CONFIG) --run $(RUN) $(addprefix --faces ,$(TABLE)) $(addprefix --precision ,$(PRECISION)) $(addprefix --init-from ,$(INIT)) $(addprefix --epochs ,$(EPOCHS)) $(addprefix --drawn ,$(DRAWN))
	$(TRAIN) -m scripts.train.heads --run $(RUN) $(addprefix --drawn ,$(DRAWN)) $(addprefix --others ,$(OTHERS)) $(addprefix --rendered ,$(RENDERED))

# Three teachers and a student from scratch; every step resumes or is skipped when it is finished. On one H200 teachers took five and the
# student seven minutes. KERAS_BACKEND applies to lines with Keras alone.
FURTHER := data/facial_expressions.npz data/drawn.npz data/heads.npz
rebuild: data/fer2013.npz $(FURTHER) .venv-gpu/.installed ## on a GPU: train version 2.1.0 again from the data sets (FACES=, VOTES=; SECONDS=: time limit of the training from scratch); then make export RUN=runs/rebuilt
	$(GPU) -m scripts.train.gpu.pack data/fer2013.npz $(FURTHER) --quality 100 --held-out-quality 100 --out runs/packed
	$(GPU) -m scripts.train.gpu.train --data runs/packed --out runs/students --work runs/students/work --seconds $(or $(SECONDS),720) --only student-75
	KERAS_BACKEND=tensorflow $(GPU) -m scripts.train.gpu.import_run --results runs/students --name student-75 --run runs/rebuilt data/fer2013.npz $(FURTHER)
	KERAS_BACKEND=tensorflow $(GPU) -m scripts.train.heads --run runs/rebuilt

# Teachers of `make refine`: published versions, each with a commit that has its files. The manifest says what the last one learned from.
TEACHERS := 1.4.0:2481789 2.0.0:7b6ba7e 2.1.0:d8645e6
runs/teachers:
	@mkdir -p $@.partial
	@for teacher in $(TEACHERS); do for name in vgg16 vgg16-fer2013 vgg16-ferplus; do \
	file=$$name-$${teacher%:*}.tflite; git show $${teacher#*:}:models/$$file > $@.partial/$$file || exit 1; done; done
	@git show $(lastword $(subst :, ,$(TEACHERS))):models/manifest.json > $@.partial/manifest.json
	@mv $@.partial $@

# glibc would give the memory of every step back to the kernel, which takes as long as the computation.
refine: data/fer2013.npz $(FURTHER) runs/teachers .venv-gpu/.installed ## on two CPU cores within two hours: train version 2.2.0 again from 2.1.0, taught by the mean predictions of three published versions (FACES=, VOTES=; EPOCHS=); then make export RUN=runs/refined
	$(GPU) -m scripts.train.gpu.pack data/fer2013.npz $(FURTHER) --quality 100 --held-out-quality 100 --out runs/packed
	env MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=17179869184 $(GPU) -m scripts.train.gpu.finetune --data runs/packed --from runs/teachers/vgg16-2.1.0.tflite \
	--teacher runs/teachers/vgg16-1.4.0.tflite:unaligned:first runs/teachers/vgg16-2.0.0.tflite runs/teachers/vgg16-2.1.0.tflite:unaligned \
	--frozen-blocks 2 --weights 1 0.7 0.4 0.6 --epochs $(or $(EPOCHS),15) --precision float32 --out runs/refined/training
	KERAS_BACKEND=tensorflow $(GPU) -m scripts.train.gpu.import_run --results runs/refined/training --name student-75 --run runs/refined data/fer2013.npz $(FURTHER)
	KERAS_BACKEND=tensorflow $(GPU) -m scripts.train.heads --run runs/refined

export: $(or $(TABLE),data/fer2013.npz) .venv-train/.installed .venv-test/.installed ## export a finished run to models/ (MODELS=: elsewhere) as VERSION=, evaluate it (EXTRA=: on further tables too) and through the HTTP API (LONDON=: photographs of people whose sex and age are known), write model card and README
	@test -n "$(VERSION)" || { echo 'Name the new version: make export VERSION=3.0.0' >&2; exit 1; }
	$(TRAIN) -m scripts.release.export --run $(RUN) --version $(VERSION) $(addprefix --models ,$(MODELS))
	$(TEST) -m scripts.evaluate.accuracy --run $(RUN) $(addprefix --models ,$(MODELS)) $(if $(EXTRA),--extra $(EXTRA))
	$(TEST) -m scripts.evaluate.served --run $(RUN) $(addprefix --models ,$(MODELS)) --london $(LONDON)
	$(TEST) -m scripts.docs.readme

thresholds: $(or $(TABLE),data/fer2013.npz) .venv-train/.installed ## choose when a prediction is `unsure`; run it after every export, which removes the old choice
	$(TRAIN) -m scripts.evaluate.rejection --write $(addprefix --faces ,$(TABLE)) $(if $(MODELS),--models $(MODELS) --out $(MODELS))

##@ Measure

evaluate-served: $(or $(TABLE),data/fer2013.npz) .venv-test/.installed ## measure the files of RUN= again as they are served, through the HTTP API, some minutes; part of make export (MODELS=; LONDON=; LIMIT=40: a dry run)
	$(TEST) -m scripts.evaluate.served --run $(RUN) $(addprefix --faces ,$(TABLE)) $(addprefix --models ,$(MODELS)) --london $(LONDON) $(addprefix --limit ,$(LIMIT))
	$(if $(LIMIT),,$(TEST) -m scripts.docs.readme)

verify-model: $(or $(TABLE),data/fer2013.npz) .venv-test/.installed ## measure the published accuracy again with the shipped files, and through the HTTP API (MODELS=: others; EXTRA=: on further tables too; LONDON=)
	$(TEST) -m scripts.evaluate.accuracy --verify $(addprefix --faces ,$(TABLE)) $(addprefix --models ,$(MODELS)) $(if $(EXTRA),--extra $(EXTRA))
	$(TEST) -m scripts.evaluate.served --verify $(addprefix --faces ,$(TABLE)) $(addprefix --models ,$(MODELS)) --london $(LONDON)

experiments: .venv-test/.installed ## collect all runs and exported designs in benchmarks/experiments.md
	$(TEST) -m scripts.evaluate.experiments

bench: .venv/.installed .venv-bench/.installed ## measure speed and memory beside the frameworks in common use; writes benchmarks/
	$(BENCH) -m scripts.bench

robustness: .venv-test/.installed .venv-bench/.installed ## measure the served head and `fer` on corrupted pictures; writes benchmarks/robustness.md (MODELS=: others)
	$(TEST) -m scripts.evaluate.robustness $(addprefix --models ,$(MODELS))

tracking: .venv-bench/.installed ## measure the tracker on synthetic videos, a quarter of an hour; writes benchmarks/tracking.md (PHOTOS=: folder of photos)
	$(BENCH) -m scripts.evaluate.tracking --photos $(or $(PHOTOS),$(error PHOTOS= is missing)) --write

hostile: .venv-test/.installed ## send 10,000 hostile inputs to the server within F1's memory, half an hour on two cores; writes benchmarks/hostile.md (as root; SEED=, COUNT=)
	$(TEST) -m scripts.hostile $(addprefix --seed ,$(SEED)) $(if $(filter file,$(origin COUNT)),,--count $(COUNT)) --out benchmarks/hostile.md

soak: .venv-test/.installed ## send ordinary and hostile requests for an hour and watch memory, files and threads; writes benchmarks/soak.md (as root; SECONDS=)
	$(TEST) -m scripts.hostile.soak $(addprefix --seconds ,$(SECONDS)) --out benchmarks/soak.md

overload: .venv-test/.installed ## overload the server within F1's limits: 1 to 64 clients, slow clients, a killed worker; writes benchmarks/overload.md (as root)
	$(TEST) -m scripts.hostile.overload --out benchmarks/overload.md

autoscaling: .venv-train/.installed ## simulate the scaling keys of app.yaml; writes docs/autoscaling.md and its plot
	$(TRAIN) -m scripts.deploy.autoscaling

##@ Deploy

smoke-appengine: .venv-test/.installed ## run the server of app.yaml within App Engine's limits and send it photos (as root)
	$(TEST) -m scripts.deploy.appengine

smoke-heroku: .venv-test/.installed ## run the web command of the Procfile as a small Heroku dyno would and send it photos (as root)
	$(TEST) -m scripts.deploy.heroku

static: .venv-test/.installed ## write the site without a server, for any static host, into build/static (OUTPUT=: elsewhere; docs/on-device.md)
	$(TEST) -m scripts.release.static_site $(if $(OUTPUT),--out '$(OUTPUT)')

publish: .venv-test/.installed ## upload a set of models to BUCKET=gs://bucket/prefix; never overwrites one (MODELS=: its folder; NAME=: its name)
	@test -n "$(BUCKET)" || { echo 'Name the bucket: make publish BUCKET=gs://my-models/emotions' >&2; exit 1; }
	$(TEST) -m scripts.release.publish --bucket $(BUCKET) $(addprefix --models ,$(MODELS)) $(addprefix --name ,$(NAME))

##@ Maintain

docs: .venv-docs/.installed ## build the documentation site in build/site/
	.venv-docs/bin/python -m mkdocs build --strict

demo-gif: .venv-test/.installed ## record the moving picture of README in Chromium: docs/demo.gif
	$(TEST) -m scripts.docs.demo

screenshots: .venv-test/.installed ## take the pictures of result pages in docs/ with Chromium, and write the small pictures of the home page
	$(TEST) -m scripts.docs.screenshots
	$(TEST) -m scripts.docs.sample_pictures

readme: .venv-test/.installed ## write the generated tables of README and docs/
	$(TEST) -m scripts.docs.readme

api-examples: .venv-test/.installed ## record the examples of the OpenAPI document again, after a change of the models or samples
	$(TEST) -m scripts.docs.api_examples

detectors: .venv-test/.installed ## download MediaPipe's face models into models/
	$(TEST) -m scripts.release.fetch_detectors

vendor: .venv-test/.installed ## download the third-party browser files from npm into static/vendor/
	$(TEST) -m scripts.release.vendor

sbom: .venv/.installed .venv-audit/.installed ## write the software bill of materials (CycloneDX) of the server: build/sbom.json
	.venv-audit/bin/python -m scripts.release.sbom

audit: .venv-audit/.installed ## look up known vulnerabilities of the pinned packages and the signatures of the vendored npm packages
	.venv-audit/bin/python -m scripts.release.audit

# One recipe makes every environment; `$<` is its requirements file, which is complete: --no-deps, and no resolution. The empty file
# .installed is written last, so that an interrupted installation starts again. An existing environment keeps its Python.
ENVIRONMENTS := $(EXTRAS:%=.venv-%/.installed)
.venv/.installed: requirements.txt
$(ENVIRONMENTS): .venv-%/.installed: requirements-%.txt
.venv/.installed $(ENVIRONMENTS):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	{ echo 'Python 3.11, 3.12 or 3.13 is needed; $(PYTHON) is' "$$($(PYTHON) --version 2>&1). Name another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo 'Installing $< into $(@D) ...'
	@test -x $(@D)/bin/pip || $(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

.PHONY: help run gradio batch notebooks lab test test-all test-integrations test-clients lint format requirements train rebuild refine synthetic smiles heads export thresholds \
	evaluate-served verify-model experiments bench robustness tracking hostile soak overload autoscaling smoke-appengine smoke-heroku static publish docs demo-gif screenshots readme api-examples detectors vendor sbom audit

# Everything this project can do, a line each: `make help`.
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
export KERAS_BACKEND ?= tensorflow
export TF_CPP_MIN_LOG_LEVEL ?= 2

SERVE := .venv/bin/python
# As in app.yaml, which has the reasons.
MALLOC := MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=1048576 MALLOC_TRIM_THRESHOLD_=8388608
TEST := .venv-test/bin/python
MODELS ?=
TRAIN := .venv-train/bin/python
BENCH := .venv-bench/bin/python
GRADIO := .venv-gradio/bin/python
BATCH := .venv-batch/bin/python
GPU := .venv-gpu/bin/python

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: .venv/.installed ## install what a server needs and serve on http://127.0.0.1:8080 (PORT=8000, HOST=0.0.0.0; MODELS=, EXPRESSION_HEAD=)
	exec env $(MALLOC) $(SERVE) -m gunicorn --bind $(HOST):$(PORT) --workers 1 --threads 4 --timeout 0 --no-control-socket main:app

# The training code is tested in an environment of its own. Both parts, and what they install, run beside each other: one of them
# computes while the other waits for servers and browsers. What the training's part says comes as a whole when it is done.
test: ## install what the tests need and run them all
	@$(MAKE) --no-print-directory --keep-going -j2 ASKED=test test-serving test-training

# Tests run make themselves: theirs is not to take this one's options and jobs for its own.
ALONE := env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL

test-serving: .venv-test/.installed
	@$(ALONE) $(TEST) -m pytest --ignore=tests/scripts --ignore=tests/doors

test-training: .venv-train/.installed .venv-test/.installed
	@said=$$(mktemp); trap 'rm -f "$$said"' EXIT; status=0; \
	$(ALONE) $(TRAIN) -m pytest --confcutdir=tests/scripts tests/scripts >"$$said" 2>&1 || status=1; \
	cat "$$said"; exit $$status

test-doors: .venv-batch/.installed .venv-gradio/.installed ## install what the batch and Gradio need, and test these doors
	@status=0; \
	$(BATCH) -m pytest --confcutdir=tests/doors tests/doors || status=1; \
	$(GRADIO) -m pytest --confcutdir=tests/doors tests/doors || status=1; \
	exit $$status

gradio: .venv-gradio/.installed ## the library behind Gradio's components on http://127.0.0.1:7860 (GRADIO_PORT=)
	exec $(GRADIO) -m scripts.gradio_app --port $(GRADIO_PORT)

batch: .venv-batch/.installed ## read all photos of INPUT='photos/**/*.jpg' into OUTPUT=folder (WORKERS=, FORMAT=jsonl or parquet; docs/batch.md)
	@test -n "$(INPUT)" -a -n "$(OUTPUT)" || { echo "Name photos and results: make batch INPUT='photos/**/*.jpg' OUTPUT=out" >&2; exit 1; }
	$(BATCH) -m scripts.batch --input '$(INPUT)' --output '$(OUTPUT)' --workers $(WORKERS) --format $(FORMAT)

autoscaling: .venv-train/.installed ## simulate app.yaml's scaling keys; writes docs/autoscaling.md and its plot
	$(TRAIN) -m scripts.autoscaling

rehearse: .venv-test/.installed ## start app.yaml's server inside App Engine's limits and send it real photos (as root)
	$(TEST) -m scripts.rehearse

rehearse-heroku: .venv-test/.installed ## start Procfile's web command as a small dyno of Heroku's would, and send it real photos (as root)
	$(TEST) -m scripts.heroku

publish: .venv-test/.installed ## upload a set of models to BUCKET=gs://bucket/prefix, never over another (MODELS=: its folder; NAME=: its name)
	@test -n "$(BUCKET)" || { echo 'Name the bucket: make publish BUCKET=gs://my-models/emotions' >&2; exit 1; }
	$(TEST) -m scripts.publish_models --bucket $(BUCKET) $(addprefix --models ,$(MODELS)) $(addprefix --name ,$(NAME))

# fer is put in without what it asks for: requirements-bench.txt says why.
bench: .venv/.installed .venv-bench/.installed ## measure speed and memory beside the usual stack; writes benchmarks/
	@$(BENCH) -m pip install --quiet --disable-pip-version-check --no-deps fer==25.10.3
	$(BENCH) -m scripts.bench

# Data is not in the tree: name the archives once, the prepared faces are kept in data/.
FACES ?= fer2013.zip
VOTES ?= fer2013new.csv.gz
CONFIG ?= scripts/configs/vgg16.toml
RUN ?= runs/vgg16
PRECISION ?=
START ?=
EPOCHS ?=
DRAWN ?=
STYLES ?= data/sources/dicebear
COUNT ?= 20000
LIMIT ?=
TABLE ?=
ALSO ?=
OTHERS ?=

%.npz:
	@echo '$@ is not there: `$(TEST) -m scripts.prepare --help` tells how tables are made' >&2; exit 1

data/fer2013.npz: | .venv-test/.installed
	$(TEST) -m scripts.prepare --faces $(FACES) $(addprefix --votes ,$(VOTES)) --out $@

$(STYLES): | .venv-train/.installed
	$(TRAIN) -m scripts.fetch dicebear

data/drawn.npz: | $(STYLES) .venv-train/.installed
	$(TRAIN) -m scripts.drawn --styles $(STYLES) --count $(COUNT) --out $@

drawn: data/drawn.npz ## render drawn faces in DiceBear's styles (STYLES=: their definitions, fetched if not there; COUNT=)

train: $(or $(TABLE),data/fer2013.npz) $(DRAWN) $(OTHERS) .venv-train/.installed ## train base and heads (FACES=, VOTES=: the archives, or TABLE=: a table of your own; VOTES= for labels alone; CONFIG=, RUN=; START=: a base to go on from; EPOCHS=10+5: of each stage; DRAWN=: drawn faces to learn as well; OTHERS=: further faces, for the head `mixed`)
	$(TRAIN) -m scripts.train base --config $(CONFIG) --run $(RUN) $(addprefix --faces ,$(TABLE)) $(addprefix --precision ,$(PRECISION)) $(addprefix --start ,$(START)) $(addprefix --epochs ,$(EPOCHS)) $(addprefix --drawn ,$(DRAWN))
	$(TRAIN) -m scripts.train heads --run $(RUN) $(addprefix --drawn ,$(DRAWN)) $(addprefix --others ,$(OTHERS))

# The base that ships learnt in five goes, each from the one before (1.1.0 and 1.2.0 from int8 files; with 8,000 drawings): the same
# road again, from data alone. The fourth and one with MixUp answer for the faces they learnt from, which teaches the fifth. Each go is
# taken up where it stopped.
rebuild: data/fer2013.npz data/drawn.npz $(OTHERS) .venv-train/.installed ## train the model that ships anew from data alone, in the goes that it had (FACES=, VOTES=, STYLES=; OTHERS=: further faces for the head mixed; PRECISION=); make export RUN=runs/rebuilt follows
	$(TRAIN) -m scripts.train base --run runs/rebuilt-1 --epochs 8+4 $(addprefix --precision ,$(PRECISION))
	$(TRAIN) -m scripts.train base --run runs/rebuilt-2 --start runs/rebuilt-1/base.keras --epochs 10+5 $(addprefix --precision ,$(PRECISION))
	$(TRAIN) -m scripts.train base --run runs/rebuilt-3 --start runs/rebuilt-2/base.keras --epochs 11+3 --drawn data/drawn.npz $(addprefix --precision ,$(PRECISION))
	$(TRAIN) -m scripts.train base --config scripts/configs/vgg16-decay.toml --run runs/rebuilt-4 --start runs/rebuilt-3/base.keras --epochs 19+3 --drawn data/drawn.npz $(addprefix --precision ,$(PRECISION))
	$(TRAIN) -m scripts.train base --config scripts/configs/vgg16-mixup.toml --run runs/rebuilt-mixup --start runs/rebuilt-4/base.keras --drawn data/drawn.npz $(addprefix --precision ,$(PRECISION))
	$(TRAIN) -m scripts.answers --runs runs/rebuilt-4 runs/rebuilt-mixup --to data/soft.npz
	$(TRAIN) -m scripts.train base --config scripts/configs/vgg16-soft.toml --run runs/rebuilt --start runs/rebuilt-4/base.keras --epochs 13+3 --drawn data/drawn.npz $(addprefix --precision ,$(PRECISION))
	$(TRAIN) -m scripts.train heads --run runs/rebuilt $(addprefix --others ,$(OTHERS))

# KERAS_BACKEND is for this line alone: heads are trained with TensorFlow, as everywhere.
distil: data/fer2013.npz data/drawn.npz .venv-gpu/.installed ## on a GPU: teachers, then the VGG-16 that learns from their answers (LIMIT=600 rehearses); make export RUN=runs/distil/student follows
	KERAS_BACKEND=torch $(GPU) -m scripts.distil --precision $(or $(PRECISION),mixed_bfloat16) $(addprefix --limit ,$(LIMIT))
	$(if $(LIMIT),,$(GPU) -m scripts.train heads --run runs/distil/student)

export: $(or $(TABLE),data/fer2013.npz) .venv-train/.installed .venv-test/.installed ## put a finished run into models/ (MODELS=: elsewhere) as VERSION=, measure it (ALSO=: on further tables), write card and README
	@test -n "$(VERSION)" || { echo 'Name the new version: make export VERSION=2.0.0' >&2; exit 1; }
	$(TRAIN) -m scripts.export --run $(RUN) --version $(VERSION) $(addprefix --models ,$(MODELS))
	$(TEST) -m scripts.evaluate --run $(RUN) $(addprefix --models ,$(MODELS)) $(if $(ALSO),--also $(ALSO))
	$(TEST) -m scripts.readme

# Settings are environment variables, and make hands on those of its command line: make notebooks SAMPLE=500 FACES=...
notebooks: .venv-train/.installed ## run the notebooks; copies with their results go into build/notebooks/ (SAMPLE=: so many faces)
	$(TRAIN) -m scripts.notebooks

# JupyterLab is put in here alone: running the notebooks does not need it.
lab: .venv-train/.installed ## open the notebooks in JupyterLab
	@$(TRAIN) -m pip install --quiet --disable-pip-version-check jupyterlab==4.6.6
	$(TRAIN) -m jupyterlab scripts

doubts: $(or $(TABLE),data/fer2013.npz) .venv-train/.installed ## choose when an answer is unsure: after every export, which leaves that off
	$(TRAIN) -m scripts.measure_doubts --write $(addprefix --faces ,$(TABLE)) $(if $(MODELS),--models $(MODELS) --out $(MODELS))

verify-model: $(or $(TABLE),data/fer2013.npz) .venv-test/.installed ## measure the published accuracy again from the shipped files (MODELS=: others; ALSO=: on further tables too)
	$(TEST) -m scripts.evaluate --verify $(addprefix --faces ,$(TABLE)) $(addprefix --models ,$(MODELS)) $(if $(ALSO),--also $(ALSO))

experiments: .venv-test/.installed ## collect all runs and exported designs in benchmarks/experiments.md
	$(TEST) -m scripts.experiments

readme: .venv-test/.installed ## write README's generated tables
	$(TEST) -m scripts.readme

detectors: .venv-test/.installed ## take MediaPipe's face models into models/
	$(TEST) -m scripts.fetch_models

vendor: .venv-test/.installed ## take the browser's third-party files from npm into static/vendor/
	$(TEST) -m scripts.vendor

# One recipe makes every environment: `$<` is its requirements file. The empty .installed is written last, so that an
# installation that was cut short starts again, and a finished one costs nothing. An environment that is there keeps its Python:
# one that pyenv chooses by .python-version is not mixed into it.
.venv/.installed: requirements.txt
.venv-test/.installed: requirements-dev.txt requirements.txt
.venv-train/.installed: requirements-train.txt
.venv-bench/.installed: requirements-bench.txt
.venv-gradio/.installed: requirements-gradio.txt
.venv-batch/.installed: requirements-batch.txt
.venv-gpu/.installed: requirements-gpu.txt requirements-train.txt
.venv/.installed .venv-test/.installed .venv-train/.installed .venv-bench/.installed .venv-gradio/.installed .venv-batch/.installed .venv-gpu/.installed:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	{ echo 'Python 3.11, 3.12 or 3.13 is needed; $(PYTHON) is' "$$($(PYTHON) --version 2>&1). Name another: make $(or $(ASKED),$(MAKECMDGOALS)) PYTHON=python3.12" >&2; exit 1; }
	@echo 'Installing $< into $(@D) ...'
	@test -x $(@D)/bin/pip || $(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.PHONY: help run test test-serving test-training test-doors gradio batch autoscaling rehearse rehearse-heroku publish bench drawn train rebuild distil export notebooks lab doubts verify-model experiments readme detectors vendor

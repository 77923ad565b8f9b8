# `make demo` and `make test` need nothing but a Python: each makes its own virtual environment (scripts/venv).
# PYTHON=/path/to/python chooses the interpreter; TESTS="tests/images/test_decode.py -k png" chooses the tests.

.PHONY: help demo notebooks test test-tf2 test-programs test-programs-tf2 test-onnx lint format docs soak fuzz bench bench-tf2 bench-builds benchmark-methods gpu-check clean distclean
# The environments are shared and the tests use all cores by themselves: -j must not start two of these at once.
.NOTPARALLEL:

TESTS ?=
ROWS ?=
SIZES ?=
CASES ?= 20000
SEED ?= 7
# Without TESTS the tests that start other programs are left to test-programs, where one worker has all of a file.
PYTEST = -m pytest -n 2 $(if $(TESTS),$(TESTS),-m "not programs")
PROGRAMS = -m pytest -n 2 -m programs --dist loadfile

help:
	@echo "make demo       run the demo net on its scenes, images to demo_out/"
	@echo "make notebooks  run the notebooks of examples/notebooks and write them with their outputs"
	@echo "make test       the tests on TensorFlow 1.15 (TensorFlow 2 where there is no Python 3.7)"
	@echo "make test-tf2   the tests on TensorFlow 2 in compat.v1 mode"
	@echo "make test-programs  the tests that start a browser, a cluster, notebooks or examples (test-programs-tf2 likewise)"
	@echo "make test-onnx  the tests of ONNX and torch, in an environment of their own (Python 3.10 to 3.12)"
	@echo "make lint       ruff check, ruff format --check, mypy"
	@echo "make format     let ruff format the files and fix what it can"
	@echo "make docs       the site of the documentation, to build/site/docs/index.html"
	@echo "make bench      the benchmarks, interleaved medians; ROWS=\"vgg19_maps demo_batch\" chooses some (make bench-tf2 likewise)"
	@echo "make bench-builds  the same nets on TensorFlow 1.15, Intel's build of it and TensorFlow 2, in turn"
	@echo "make benchmark-methods  every method on drawn scenes and boxed photographs; the tables go into docs/methods.md (SIZES=\"--scenes 80 --slow 70\")"
	@echo "make gpu-check  every method on the GPU and on the CPU, compared; skipped where TensorFlow sees none"
	@echo "make soak       thousands of images, some damaged, killed ten times and resumed (IMAGES=20000 KILLS=10)"
	@echo "make fuzz       damaged models, weights and labels must load or be refused (CASES=20000 SEED=7)"
	@echo "make clean      remove outputs and caches; distclean: the virtual environments too"

demo:
	@venv=$$(scripts/venv reference) && "$$venv/bin/gradcam-tf1" demo --out demo_out

notebooks:
	@venv=$$(scripts/venv reference) && "$$venv/bin/python" scripts/notebooks.py

test:
	@venv=$$(scripts/venv reference) && "$$venv/bin/python" $(PYTEST)

test-tf2:
	@venv=$$(scripts/venv tf2) && "$$venv/bin/python" $(PYTEST)

test-programs:
	@venv=$$(scripts/venv reference) && "$$venv/bin/python" $(PROGRAMS)

test-programs-tf2:
	@venv=$$(scripts/venv tf2) && "$$venv/bin/python" $(PROGRAMS)

test-onnx:
	@venv=$$(scripts/venv onnx) && "$$venv/bin/python" -m pytest -n 2 tests/interop $(TESTS)

# Two type checks: mypy 1.4 is the last one that runs on Python 3.7, the newest one is strict and knows numpy's types.
lint:
	@venv=$$(scripts/venv reference) && \
	"$$venv/bin/ruff" check . && "$$venv/bin/ruff" format --check . && \
	if [ "$$venv" = .venv-tf1 ]; then "$$venv/bin/mypy"; fi
	@venv=$$(scripts/venv tf2) && "$$venv/bin/mypy" --strict

format:
	@venv=$$(scripts/venv reference) && "$$venv/bin/ruff" check --fix . && "$$venv/bin/ruff" format .

# A warning is an error: a broken link, a page without a place, a docstring that does not parse.
docs:
	@venv=$$(scripts/venv tf2) && \
	"$$venv/bin/python" -m sphinx --fail-on-warning --keep-going --quiet -c docs . build/site && \
	echo "build/site/docs/index.html"

bench:
	@venv=$$(scripts/venv reference) && "$$venv/bin/python" benchmarks/bench.py $(ROWS)

bench-tf2:
	@venv=$$(scripts/venv tf2) && "$$venv/bin/python" benchmarks/bench.py $(ROWS)

bench-builds:
	@tf1=$$(scripts/venv tf1) && intel=$$(scripts/venv intel) && tf2=$$(scripts/venv tf2) && \
	"$$tf1/bin/python" benchmarks/builds.py "$$tf1" "$$intel" "$$tf2"

# Goes on where it was stopped: what is measured lies in build/.
benchmark-methods:
	@venv=$$(scripts/venv reference) && "$$venv/bin/python" benchmarks/methods.py --write $(SIZES)

gpu-check:
	@venv=$$(scripts/venv reference) && "$$venv/bin/python" scripts/gpu_check.py

IMAGES ?= 20000
KILLS ?= 10

soak:
	@venv=$$(scripts/venv reference) && "$$venv/bin/python" tests/support/soak.py $(IMAGES) $(KILLS)

fuzz:
	@venv=$$(scripts/venv reference) && "$$venv/bin/python" tests/support/fuzz_models.py --cases $(CASES) --seed $(SEED)

clean:
	rm -rf build dist *.egg-info out demo_out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name '.venv-*' -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf .venv-*

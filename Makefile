# make run          set up .venv and run the main job on the built-in corpus
# make test         set up .venv, then format, lint, types, build, C++ tests, Python tests: 20 to 23 minutes
# make test-full    that and the whole main job, and the base package on every Python on the PATH:
#                   about 35 minutes on 2 cores
#
# make kernel-report    registers, spills and shared memory of the CUDA kernels (needs nvcc): 1 minute
# make bench            engine, alignment, frontend and training beside their peers: 6 minutes
#
# PYTHON=python3.11     the interpreter to make .venv with (3.10 to 3.13)
# TORCH_ARGS="..."      pip's arguments for torch alone, to take it from elsewhere:
#                       TORCH_ARGS="--index-url ADDRESS"
# GBAN_CUDA=auto|0|1    build the CUDA kernels where nvcc works, never, or fail without
# ARGS="..."            arguments of train/run_folds.py, for make run
PYTHON ?= python3
TORCH_ARGS ?=
ARGS ?=
GBAN_CUDA ?= auto
export GBAN_CUDA
# Containers often set this, and then each of the tests' many processes compiles all of torch anew:
# with it `make test` takes half as long again.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
BUILD := build/cmake
# The extras that README's commands need.
PEOPLE := deploy,plot,listen,words,hub,serve
SET_UP = $(PYTHON) tools/venv.py $(VENV)

.PHONY: run test test-full lint format ctest kernel-report bench setup clean

run:
	@$(SET_UP) train,$(PEOPLE) --torch-args "$(TORCH_ARGS)"
	$(BIN)/python train/run_folds.py $(ARGS)

setup:
	@$(SET_UP) train,$(PEOPLE),cluster,test,lint --torch-args "$(TORCH_ARGS)"

# Tests that kill and time processes of their own go first and one by one, the rest three at once, of
# which some wait, file by file in the order of tests/conftest.py.
THREE := -n 3 --dist loadfile --no-loadscope-reorder
test: setup lint ctest
	$(BIN)/python -m pytest -m "alone and not full and not gpu"
	$(BIN)/python -m pytest $(THREE) -m "not alone and not full and not gpu"

test-full: setup lint ctest
	$(BIN)/python -m pytest -m "(alone or full) and not gpu"
	$(BIN)/python -m pytest $(THREE) -m "not alone and not full and not gpu"

# The hooks of .pre-commit-config.yaml, over every file; they need a git checkout.
lint: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pre-commit run --all-files --show-diff-on-failure

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	git ls-files 'csrc/*.h' 'csrc/*.c' 'csrc/*.cpp' 'csrc/*.cu' 'csrc/*.cuh' 'examples/*.h' 'examples/*.cpp' | xargs $(BIN)/clang-format -i

ctest: setup
	$(BIN)/cmake -S . -B $(BUILD) -G Ninja -DCMAKE_MAKE_PROGRAM="$(CURDIR)/$(BIN)/ninja" \
	  -DPython_EXECUTABLE="$(CURDIR)/$(BIN)/python" \
	  -Dpybind11_DIR="$$($(BIN)/python -m pybind11 --cmakedir)" \
	  -DGBAN_PYTHON=OFF -DGBAN_TESTS=ON -DGBAN_CUDA=0 > /dev/null
	$(BIN)/cmake --build $(BUILD) --target all _emulated
	$(BIN)/ctest --test-dir $(BUILD) --output-on-failure -j 2

# Registers, spills and shared memory of every CUDA kernel; needs nvcc, no GPU.
kernel-report:
	@$(PYTHON) tools/kernel_report.py

# The engine, the alignment, the frontend and training beside their peers, one CPU thread.
bench:
	@$(SET_UP) train,$(PEOPLE),cluster,test,lint,bench --torch-args "$(TORCH_ARGS)"
	$(BIN)/python benchmarks/bench_engine.py
	$(BIN)/python benchmarks/bench_alignment.py
	$(BIN)/python benchmarks/bench_frontend.py
	$(BIN)/python benchmarks/bench_training.py

clean:
	rm -rf build $(VENV) gban_edge/*.so *.egg-info

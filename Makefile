# make run          set up .venv and run the main job on the built-in corpus
# make test         set up .venv, then format, lint, types, build, C++ tests, Python tests: 7 minutes
# make test-full    that and the whole main job, and the base package on every Python on the PATH:
#                   about 15 minutes on 2 cores
#
# PYTHON=python3.11     the interpreter to make .venv with (3.10 to 3.13)
# TORCH_ARGS="..."      pip's arguments for torch alone, to take it from elsewhere:
#                       TORCH_ARGS="--index-url ADDRESS"
# ARGS="..."            arguments of train/run_folds.py, for make run
PYTHON ?= python3
TORCH_ARGS ?=
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
BUILD := build/cmake
SET_UP = $(PYTHON) tools/venv.py $(VENV)

.PHONY: run test test-full lint format ctest setup clean

run:
	@$(SET_UP) train --torch-args "$(TORCH_ARGS)"
	$(BIN)/python train/run_folds.py $(ARGS)

setup:
	@$(SET_UP) train,test,lint --torch-args "$(TORCH_ARGS)"

test: setup lint ctest
	$(BIN)/python -m pytest -m "not full"

test-full: setup lint ctest
	$(BIN)/python -m pytest

# The hooks of .pre-commit-config.yaml, over every file; they need a git checkout.
lint: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pre-commit run --all-files --show-diff-on-failure

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	find csrc -name '*.h' -o -name '*.cpp' | xargs $(BIN)/clang-format -i

ctest: setup
	$(BIN)/cmake -S . -B $(BUILD) -G Ninja -DCMAKE_MAKE_PROGRAM="$(CURDIR)/$(BIN)/ninja" \
	  -DGBAN_PYTHON=OFF -DGBAN_TESTS=ON > /dev/null
	$(BIN)/cmake --build $(BUILD)
	$(BIN)/ctest --test-dir $(BUILD) --output-on-failure

clean:
	rm -rf build $(VENV) gban_edge/*.so *.egg-info

#!/usr/bin/env bash
# Everything that a GPU is needed for, in one command, under 8 minutes, with no network:
#
#     benchmarks/gpu_check.sh [--quick]
#
# builds the core here with CUDA (GBAN_CUDA=1), runs the GPU tests with the GPU required, the TensorRT
# plugins through their interface (TENSORRT_ROOT's headers, else the stand-in's), then every
# kernel under compute-sanitizer (memcheck, racecheck, initcheck), then the benchmarks, and writes
# benchmarks/results/<gpu>.json: GPU, driver, date, commit, hash of the kernels' sources, figures.
# Needs nvcc, a C++17 compiler, Python with torch, numpy, safetensors, pybind11, cmake, ninja and pytest.
# PYTHON=... chooses the interpreter; OUT=... also gets a copy of what is written.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
BUILD=${BUILD:-build/gpu}
QUICK=()
[[ "${1:-}" == "--quick" ]] && QUICK=(--quick)
SECONDS=0
say() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

command -v nvidia-smi > /dev/null || fail "no nvidia-smi: this needs an NVIDIA GPU and its driver"
for tool in nvcc cmake ninja; do
  command -v "$tool" > /dev/null || fail "no $tool on the PATH"
done
"$PYTHON" -c "import torch, numpy, safetensors, pybind11, pytest; assert torch.cuda.is_available()" \
  || fail "$PYTHON needs torch that sees the GPU, numpy, safetensors, pybind11 and pytest"

mkdir -p "$(dirname "$BUILD")"
say "build"
CAPABILITY=$("$PYTHON" -c "import torch; print('%d%d' % torch.cuda.get_device_capability())")
cmake -S . -B "$BUILD" -G Ninja -DGBAN_CUDA=1 -DGBAN_CUDA_ARCHITECTURES="$CAPABILITY-real" \
  -DPython_EXECUTABLE="$(command -v "$PYTHON")" \
  -Dpybind11_DIR="$("$PYTHON" -m pybind11 --cmakedir)" \
  -DCMAKE_LIBRARY_OUTPUT_DIRECTORY="$PWD/gban_edge" > "$BUILD.log" 2>&1 \
  || { cat "$BUILD.log"; fail "configuring failed"; }
cmake --build "$BUILD" --target _core tensorrt_plugin_gpu_test
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
"$PYTHON" -m gban_edge.info

say "tests, the GPU required"
# Without conftest.py, whose corpus a bare machine has not the packages for.
"$PYTHON" -m pytest -q -m gpu -p no:cacheprovider --noconftest tests/test_gpu.py \
  tests/test_gpu_bilstm.py tests/test_gpu_engine.py

say "TensorRT plugins on the GPU"
"$BUILD/tensorrt_plugin_gpu_test"
PLUGINS="tensorrt_plugin_gpu_test passed, headers: ${TENSORRT_ROOT:-stand-in}"

say "compute-sanitizer"
if command -v compute-sanitizer > /dev/null; then
  for tool in memcheck racecheck initcheck; do
    for kernels in align_ lstm_ encode head; do
      compute-sanitizer --tool "$tool" --error-exitcode 9 --kernel-regex kns=$kernels \
        "$PYTHON" benchmarks/sanitized.py $kernels | tail -n 3
    done
  done
  SANITIZER="memcheck, racecheck, initcheck: no error"
else
  SANITIZER="not run: no compute-sanitizer on this machine"
fi
echo "$SANITIZER"

say "benchmarks"
"$PYTHON" benchmarks/bench_alignment.py --device cuda --rounds 5 "${QUICK[@]}" \
  --json "$BUILD/alignment.json"
"$PYTHON" benchmarks/bench_bilstm.py --rounds 9 "${QUICK[@]}" --json "$BUILD/bilstm.json"
"$PYTHON" benchmarks/bench_engine.py --device cuda --rounds 5 "${QUICK[@]}" \
  --json "$BUILD/engine.json"
"$PYTHON" benchmarks/bench_latency.py "${QUICK[@]}" --json "$BUILD/latency.json"

say "results"
"$PYTHON" benchmarks/write_result.py --sanitizer "$SANITIZER" --alignment "$BUILD/alignment.json" \
  --bilstm "$BUILD/bilstm.json" --engine "$BUILD/engine.json" \
  --latency "$BUILD/latency.json" --plugins "$PLUGINS" ${OUT:+--copy "$OUT"}

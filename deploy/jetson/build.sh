#!/usr/bin/env bash
# Inside the image: gban-edge with its CUDA kernels, and its library of TensorRT plugins.
# CUDA_ARCHITECTURES: GPUs of the plugin library, as CMake names them (87-real Orin, 110-real Thor).
# TENSORRT_ROOT: where TensorRT's headers are, if not where the system's packages put them.
set -euo pipefail
source=/opt/gban-edge
export PATH="$PATH:/usr/local/cuda/bin"
# Ubuntu 24.04 guards the system's Python, the one that sees TensorRT; an older pip ignores this.
export PIP_BREAK_SYSTEM_PACKAGES=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore

command -v nvcc > /dev/null || {
  echo "error: no nvcc in this base image; take one with the CUDA toolkit as BASE_IMAGE" >&2
  exit 1
}
apt-get update
apt-get install -y --no-install-recommends build-essential python3-dev python3-pip
rm -rf /var/lib/apt/lists/*

python3 -m pip install cmake ninja
GBAN_CUDA=1 python3 -m pip install -e "$source[deploy]"

cmake -S "$source" -B "$source/build/tensorrt" -G Ninja -DGBAN_PYTHON=OFF -DGBAN_CUDA=1 \
  -DGBAN_CUDA_ARCHITECTURES="${CUDA_ARCHITECTURES:-87-real}" -DGBAN_TENSORRT=1 \
  ${TENSORRT_ROOT:+-DTENSORRT_ROOT="$TENSORRT_ROOT"}
cmake --build "$source/build/tensorrt" --target gban_edge_tensorrt

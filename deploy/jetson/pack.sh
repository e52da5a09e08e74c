#!/usr/bin/env bash
# Writes source.tar.gz, what the image needs of this checkout, beside the Dockerfile (or to $1):
# jetson-containers gives `docker build` a package's own folder and nothing above it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$(realpath -m "${1:-$here/source.tar.gz}")
cd "$here/../.."
tar --create --gzip --sort=name --file "$out.part" \
  --exclude=__pycache__ --exclude='*.so' --exclude='source.tar.gz*' \
  LICENSE README.md CMakeLists.txt pyproject.toml setup.py cmake csrc deploy gban_edge
mv "$out.part" "$out"
echo "$out"

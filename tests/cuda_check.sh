#!/usr/bin/env bash
# Checks that the crate compiles with `--features cuda`, on a machine without a GPU.
#
#     tests/cuda_check.sh
#
# About 15 minutes on two cores, nearly all of it candle's kernels in nvcc, and some GB under target/; a second run is
# quick. Needs Python 3 with venv and the Python package registry. Not part of the CI: run it when candle, cudarc or what
# is behind the feature changes. What CUDA then computes, the `_composite` twins of `isopath::ops`, is tested on the
# CPU: `cargo test --test composite_twins`.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=target/cuda/venv
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
fi
# A CUDA toolkit as Python packages. 13.0, since cudarc does not know the newest ones; cuRAND and cuBLAS count their own
# versions.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    'nvidia-cuda-nvcc==13.0.*' 'nvidia-cuda-runtime==13.0.*' 'nvidia-cuda-cccl==13.0.*' 'nvidia-nvvm==13.0.*' \
    'nvidia-cuda-crt==13.0.*' nvidia-curand nvidia-cublas

site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
export CUDA_HOME="$site/nvidia/cu13"
export PATH="$CUDA_HOME/bin:$PATH"
# Ampere; without it candle's build asks the card, and there is none.
export CUDA_COMPUTE_CAP=80
nvcc --version | tail -n 2

cargo check --locked --features cuda --target-dir target/cuda
echo "cargo check --features cuda passed after $SECONDS s"

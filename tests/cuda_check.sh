#!/usr/bin/env bash
# Builds the tests of CUDA, on a machine without a GPU.
#
#     tests/cuda_check.sh
#
# About 17 minutes on two cores, nearly all of it candle's kernels in nvcc, and some GB under target/; a second run is
# quick. Needs Python 3 with venv, the Python package registry and a C compiler. Not part of the CI: run it when candle,
# cudarc or what is behind the feature changes. What CUDA then computes, the `_composite` twins of `isopath::ops`, is
# tested on the CPU: `cargo test --test composite_twins`.
#
# A machine with a GPU and without Rust can run what was built: take the files that are named at the end, the folder
# notebooks/checkpoints to the same path, and put the two libraries, and CUDA's, into LD_LIBRARY_PATH.
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
    'nvidia-cuda-crt==13.0.*' 'nvidia-cuda-nvrtc==13.0.*' nvidia-curand nvidia-cublas

site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
export CUDA_HOME="$PWD/${site#"$PWD"/}/nvidia/cu13"
export PATH="$CUDA_HOME/bin:$PATH"
# Ampere, whose code later cards compile anew; without it candle's build asks the card, and there is none.
export CUDA_COMPUTE_CAP="${CUDA_COMPUTE_CAP:-80}"
nvcc --version | tail -n 2

# The linker wants names without versions, and a driver, which comes with a GPU: an empty one has its names.
for library in "$CUDA_HOME"/lib/lib{cublas,cublasLt,curand,nvrtc,cudart}.so.*; do
    ln -sf "$(basename "$library")" "${library%.so.*}.so"
done
cudarc=$(cargo metadata --locked --format-version 1 --features cuda --filter-platform "$(rustc --print host-tuple)" |
    python3 -c 'import json, sys; print(next(p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == "cudarc"))')
grep -rohE '\bcu[A-Z][A-Za-z0-9_]*' "$(dirname "$cudarc")/src/driver/sys" | sort -u | sed 's/.*/void &(void) {}/' |
    cc -x c -shared -fPIC -w -Wl,-soname,libcuda.so.1 -o "$CUDA_HOME/lib/libcuda.so" -

cargo test --locked --features cuda --target-dir target/cuda --no-run --lib --test cuda --test composite_twins
ls target/cuda/*/debug/deps/libisopath.so "$(rustc --print target-libdir)"/libstd-*.so
echo "built after $SECONDS s"

#!/usr/bin/env bash
# clang-tidy with the checks of .clang-tidy over src/, or over the files named: tools/tidy.sh [file.cc …]
set -euo pipefail
cd "$(dirname "$0")/.."
# A folder of its own: clang cannot read the precompiled headers of g++, and each file is asked for by its own name.
cmake --preset release -B build/tidy -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON -DCMAKE_UNITY_BUILD=OFF -DFUDE_TESTS=OFF >/dev/null
files=("$@")
if (($# == 0)); then mapfile -t files < <(git ls-files 'src/*.cc'); fi
printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy -p build/tidy --quiet

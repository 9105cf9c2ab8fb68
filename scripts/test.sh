#!/usr/bin/env bash
# Installs the dependencies, builds the release and runs every test: scripts/test.sh [ctest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/count_tests.sh

scripts/install_dependencies.sh --test
cmake --preset release
cmake --build build/release -j "$(nproc)"

results=$PWD/build/release/results
rm -rf "$results"
mkdir -p "$results"

if python3 tools/check_layers.py; then passed=$((passed + 1)); else failed=$((failed + 1)); fi

set +e
GTEST_OUTPUT=xml:$results/ ctest --test-dir build/release --output-on-failure --no-tests=error -j "$(nproc)" \
  --output-junit "$results/ctest.junit" "$@"
ctest_status=$?
set -e

# Each program's cases; a test that is no GoogleTest program counts as one.
while read -r name status; do
  [[ $status == run ]] && code=0 || code=1
  count_program "$code" "$results/${name}_test.xml"
done < <(sed -n 's/.*<testcase name="\([^"]*\)".* status="\([a-z]*\)".*/\1 \2/p' "$results/ctest.junit")
if [[ $ctest_status != 0 && $failed == 0 ]]; then failed=1; fi

report_counts

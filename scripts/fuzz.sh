#!/usr/bin/env bash
# Random input for every reader, under AddressSanitizer and UndefinedBehaviorSanitizer, within 2 GiB and 20 s an input:
#
#   scripts/fuzz.sh [options of libFuzzer]    default: -max_total_time=3 for each target; long: -runs=1000000
#
# FUDE_FUZZ names some targets instead of all. What a target learned is kept in build/fuzz/corpus/, an input on which it
# failed in build/fuzz/found/. One line a target; the status says whether all passed.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/count_tests.sh
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
options=("$@")
((${#options[@]} > 0)) || options=(-max_total_time=3)

targets=(${FUDE_FUZZ:-$(cd tests/fuzz && ls *_fuzz.cc | sed 's/\.cc$//')})
cmake --preset fuzz
cmake --build build/fuzz -j "$(nproc)" --target "${targets[@]}"
mkdir -p build/fuzz/found
for name in "${targets[@]}"; do
  corpus=build/fuzz/corpus/$name seeds=() status=0 begin=$SECONDS log=build/fuzz/found/$name.log
  mkdir -p "$corpus"
  if [[ -d tests/fuzz/corpus/$name ]]; then seeds=("tests/fuzz/corpus/$name"); fi
  "build/fuzz/tests/$name" -rss_limit_mb=2048 -timeout=20 -verbosity=0 -print_funcs=0 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/found/$name-" "${options[@]}" "$corpus" "${seeds[@]}" >"$log" 2>&1 || status=$?
  stat() { awk -v key="stat::$1:" '$1 == key {print $2}' "$log"; }
  printf '%-24s %-6s %9s inputs %5s MiB %5d s\n' "$name" "$([[ $status == 0 ]] && echo ok || echo FAILED)" \
    "$(stat number_of_executed_units)" "$(stat peak_rss_mb)" $((SECONDS - begin))
  if [[ $status == 0 ]]; then passed=$((passed + 1)); else failed=$((failed + 1)) && tail -n 60 "$log"; fi
done
report_counts

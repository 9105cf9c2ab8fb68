# For sourcing: counts single GoogleTest cases from the XML files that the test programs write
# (GTEST_OUTPUT=xml:FOLDER/ in their environment). A program that died, or failed without saying where, is one failure.
passed=0
failed=0

# count_program STATUS FILE: adds the cases of one program that ended with STATUS and may have written FILE.
count_program() {
  local status=$1 file=$2 ran=0 bad=0 left_out=0
  if [[ -s $file ]]; then
    # A skipped case is no passed case.
    ran=$(grep -c '<testcase .*status="run"' "$file" || true)
    left_out=$(grep -c '<testcase .*result="skipped"' "$file" || true)
    bad=$(sed -n 's/^<testsuites .* failures="\([0-9]*\)".*/\1/p' "$file")
    passed=$((passed + ran - left_out - ${bad:-0}))
    failed=$((failed + ${bad:-0}))
    if [[ $status != 0 && ${bad:-0} == 0 ]]; then failed=$((failed + 1)); fi
  elif [[ $status == 0 ]]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
  fi
}

# Prints the closing line, or hands the numbers to the caller named by FUDE_COUNTS. Its status says whether all passed.
report_counts() {
  if [[ -n ${FUDE_COUNTS:-} ]]; then
    echo "$passed $failed" >>"$FUDE_COUNTS"
  else
    echo "$passed passed, $failed failed"
  fi
  ((failed == 0))
}

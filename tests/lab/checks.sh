# Sourced by jobs: `check TITLE COMMAND...` counts a test, `finish` prints the totals and ends the job.
passed=0
failed=0

check() {
  local title=$1 output
  shift
  if output=$("$@" 2>&1); then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf '  FAILED %s: %s\n%s\n' "$title" "$*" "$output" | sed 's/^/    /'
  fi
}

finish() {
  echo "$passed passed, $failed failed, 0 skipped"
  [ "$failed" -eq 0 ]
  exit
}

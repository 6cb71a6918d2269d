# Sourced by the scripts beside it: one way to say how far things are. Colours only on a terminal.
if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
  say_bold=$'\e[1m' say_red=$'\e[31m' say_reset=$'\e[0m'
else
  say_bold='' say_red='' say_reset=''
fi

say() { printf '%s==> %s%s\n' "$say_bold" "$*" "$say_reset"; }

fail() {
  printf '%s%s: %s%s\n' "$say_red" "${0##*/}" "$*" "$say_reset" >&2
  exit 1
}

# quietly LOG COMMAND...: runs it with its output in LOG, which is shown only when the command fails.
quietly() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 || { cat "$log" >&2; fail "failed: $*"; }
}

# build PRESET [TARGET...]: configures build/PRESET and builds it.
build() {
  local preset=$1 targets=()
  shift
  (($# == 0)) || targets=(--target "$@")
  say "Building ($preset)"
  quietly "build/$preset/configure.log" cmake --preset "$preset"
  cmake --build --preset "$preset" -j "$(nproc)" "${targets[@]}" || fail "the build failed"
}

# run_tests PRESET SECONDS [CTEST OPTION...]: builds PRESET and runs its tests, each for SECONDS at most. The results are left
# in build/PRESET/results for tests/count_cases.py: a NAME.xml from each test program, and ctest.xml with what ctest itself
# knows and with whole outputs.
run_tests() {
  local preset=$1 seconds=$2 results=build/$1/results
  shift 2
  rm -rf "$results"  # before the build: what could not be built leaves no results
  build "$preset"
  mkdir -p "$results"
  say "Testing ($preset)"
  # Nothing is written into the sources.
  GTEST_OUTPUT="xml:$PWD/$results/" PYTHONPYCACHEPREFIX="$PWD/build/pycache" ctest --preset "$preset" -j "$(nproc)" --timeout "$seconds" "$@" \
    --test-output-size-passed 10000000 --test-output-size-failed 10000000 --output-junit "$PWD/$results/ctest.xml"
}

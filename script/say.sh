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

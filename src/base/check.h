// A broken invariant aborts the program where it is detected, in every build.
#pragma once

namespace attune {

// Writes the file, the line, the condition and `why` to stderr, then aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition, const char* why);

}  // namespace attune

// `why` is the reason why the condition must hold.
#define ATTUNE_CHECK(condition, why)                              \
  do {                                                            \
    if (!(condition)) [[unlikely]]                                \
      ::attune::CheckFailed(__FILE__, __LINE__, #condition, why); \
  } while (false)

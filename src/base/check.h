// A broken invariant ends the program at the place that noticed it, in every build.
#pragma once

namespace attune {

// Writes file, line and why to stderr, then aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition, const char* why);

}  // namespace attune

// `why` says why the condition must hold.
#define ATTUNE_CHECK(condition, why)                              \
  do {                                                            \
    if (!(condition)) [[unlikely]]                                \
      ::attune::CheckFailed(__FILE__, __LINE__, #condition, why); \
  } while (false)

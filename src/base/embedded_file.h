// Files of the source tree inside the binary. For the .cc files that name them; others use
// page_assets.h, demo_files.h.
#pragma once

#include <string_view>

// ATTUNE_EMBED(Name, "path") defines `std::string_view Name()`: the file's bytes, for as long as
// the program runs. The path is read by the assembler, from the root of the source tree. At
// namespace scope, in no anonymous namespace. Each file must also stand in ATTUNE_EMBEDDED_FILES of
// CMakeLists.txt, so that the program is built anew when it changes.
#define ATTUNE_EMBED(name, path)                                                                 \
  asm(".pushsection .rodata\n"                                                                   \
      "attune_embedded_" #name                                                                   \
      "_begin:\n"                                                                                \
      ".incbin \"" path                                                                          \
      "\"\n"                                                                                     \
      "attune_embedded_" #name                                                                   \
      "_end:\n"                                                                                  \
      ".byte 0\n"                                                                                \
      ".popsection\n");                                                                          \
  extern "C" const char attune_embedded_##name##_begin[] __attribute__((visibility("hidden")));  \
  extern "C" const char attune_embedded_##name##_end[] __attribute__((visibility("hidden")));    \
  std::string_view name() {                                                                      \
    return {attune_embedded_##name##_begin,                                                      \
            static_cast<size_t>(attune_embedded_##name##_end - attune_embedded_##name##_begin)}; \
  }

// Embeds files of the source tree in the binary. Only for the .cc files that name them; other code
// uses page_assets.h or demo_files.h.
#pragma once

#include <string_view>

// ATTUNE_EMBED(Name, "path") defines `std::string_view Name()`: the file's bytes, valid for the
// life of the program. The assembler reads the path relative to the root of the source tree. Use it
// at namespace scope, outside anonymous namespaces. List each file in ATTUNE_EMBEDDED_FILES of
// CMakeLists.txt too, so that a change of the file rebuilds the program.
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

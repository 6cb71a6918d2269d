// Runs a fuzz target over the files of folders, without a fuzzer and with any compiler, so that fixed inputs stay
// fixed.
//
//   build/release/fuzz_replay plan fuzz/corpus/plan…
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

// CMakeLists.txt generates fuzz/targets.inc: FUZZ_TARGET(kind) for each fuzz/<kind>_fuzz.cc.
#define FUZZ_TARGET(kind) extern "C" int Fuzz_##kind(const uint8_t* data, size_t size);
#include "fuzz/targets.inc"
#undef FUZZ_TARGET

namespace {

struct Target {
  std::string_view kind;
  int (*run)(const uint8_t* data, size_t size);
};

constexpr Target kTargets[] = {
#define FUZZ_TARGET(kind) {#kind, Fuzz_##kind},
#include "fuzz/targets.inc"
#undef FUZZ_TARGET
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view kind = argc > 1 ? argv[1] : "";
  const auto target = std::find_if(std::begin(kTargets), std::end(kTargets), [&](const Target& t) { return t.kind == kind; });
  if (target == std::end(kTargets)) {
    std::fprintf(stderr, "usage: fuzz_replay KIND FOLDER..., where KIND is the KIND of a fuzz/KIND_fuzz.cc\n");
    return 2;
  }
  std::vector<std::filesystem::path> files;
  for (int i = 2; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  static const uint8_t kNothing = 0;
  target->run(&kNothing, 0);
  for (const auto& file : files) {
    std::fprintf(stderr, "%s\n", file.c_str());  // if the program ends here, the last name printed is the input
    std::ifstream in(file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    target->run(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  }
  if (files.empty()) std::puts("there are no inputs");
  std::printf("%zu passed, %d failed\n", files.size() + 1, files.empty() ? 1 : 0);
  return files.empty() ? 1 : 0;
}

// Runs a fuzz target over the files of folders, without a fuzzer: what was found stays mended, with any compiler.
//
//   build/release/plan_replay fuzz/corpus/plan…
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  static const uint8_t kNothing = 0;
  LLVMFuzzerTestOneInput(&kNothing, 0);
  for (const auto& file : files) {
    std::fprintf(stderr, "%s\n", file.c_str());  // the last one named is the one that ends the program
    std::ifstream in(file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  }
  if (files.empty()) std::puts("there are no inputs");
  std::printf("%zu passed, %d failed\n", files.size() + 1, files.empty() ? 1 : 0);
  return files.empty() ? 1 : 0;
}

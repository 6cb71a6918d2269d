#include "server/plan_note.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <fstream>

namespace attune {

namespace {

constexpr std::string_view kMagic = "attune-plan-note ";

}  // namespace

Result<std::string> ReadPlanNote(const std::string& dir) {
  std::ifstream in(dir + "/plan_path");
  std::string line;
  std::getline(in, line);
  if (!line.starts_with(kMagic)) return line;
  int version = 0;
  std::from_chars(line.data() + kMagic.size(), line.data() + line.size(), version);
  if (version > kPlanNoteVersion) {
    return Error{ErrorCode::kInvalid, fmt::format("{}/plan_path: version {} is newer than this program reads ({}): use the newer program that wrote it",
                                                  dir, version, kPlanNoteVersion)};
  }
  line.clear();
  std::getline(in, line);
  return line;
}

void WritePlanNote(const std::string& dir, const std::string& plan) {
  std::error_code error;
  const auto path = std::filesystem::absolute(plan, error);
  if (!error) std::ofstream(dir + "/plan_path") << kMagic << kPlanNoteVersion << '\n' << path.string() << '\n';
}

}  // namespace attune

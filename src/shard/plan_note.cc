#include "shard/plan_note.h"

#include <filesystem>
#include <fstream>

namespace attune {

std::string ReadPlanNote(const std::string& dir) {
  std::ifstream in(dir + "/plan_path");
  std::string path;
  std::getline(in, path);
  return path;
}

void WritePlanNote(const std::string& dir, const std::string& plan) {
  std::error_code error;
  const auto path = std::filesystem::absolute(plan, error);
  if (!error) std::ofstream(dir + "/plan_path") << path.string() << '\n';
}

}  // namespace attune

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <tuple>

#include "base/hash.h"
#include "plan/loader.h"

namespace attune {
namespace {

bool ReadWhole(const std::filesystem::path& path, std::string* text) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return false;
  std::stringstream buffer;
  buffer << in.rdbuf();
  *text = buffer.str();
  return in.good() || in.eof();
}

}  // namespace

LoadedPlan PlanLoader::Run(std::vector<std::pair<std::string, std::string>> files) {
  plan_ = std::make_unique<Plan>();
  std::string all;
  sources_.reserve(files.size());
  for (auto& [file, text] : files) {
    plan_->files.push_back(file);
    all += text;
    all += '\0';
    sources_.emplace_back(file, std::move(text), static_cast<int>(sources_.size()));
  }
  plan_->text_fingerprint = Hash64(all);
  for (const PlanSource& source : sources_) ReadFile(source);
  CollectNames();
  ReadExpressions();
  CheckWhole();
  return Finish();
}

LoadedPlan PlanLoader::Unreadable(const std::string& path, const std::string& why) {
  Report({path, 1, 1, why});
  return Finish();
}

void PlanLoader::Report(Problem problem) {
  failed_ |= !problem.warning;
  problems_.push_back(std::move(problem));
}

void PlanLoader::Report(const PlanSource& source, Location at, std::string message, bool warning) {
  Report({source.file(), at.line, at.column, std::move(message), warning});
}

void PlanLoader::Report(const PlanSource& source, const YAML::Node& node, std::string message) {
  Report(source, source.At(node), std::move(message));
}

LoadedPlan PlanLoader::Finish() {
  const auto file_order = [&](const Problem& p) {
    const auto& files = plan_ ? plan_->files : std::vector<std::string>();
    return std::find(files.begin(), files.end(), p.file) - files.begin();
  };
  std::stable_sort(problems_.begin(), problems_.end(), [&](const Problem& a, const Problem& b) {
    return std::tuple(file_order(a), a.line, a.column) < std::tuple(file_order(b), b.line, b.column);
  });
  if (failed_) plan_ = nullptr;
  return {std::move(plan_), std::move(problems_)};
}

void PlanLoader::ReadFile(const PlanSource& source) {
  YAML::Node root;
  try {
    root = source.Load();
  } catch (const YAML::Exception& e) {
    return Report({source.file(), e.mark.line + 1, e.mark.column + 1, "not YAML: " + e.msg});
  }
  plan_->fingerprint = Hash64(NormalText(root), plan_->fingerprint);
  ReadFields(source, root, "the plan",
             {{"timezone", [&](const YAML::Node& n) { ReadZone(source, n); }},
              {"sessions", [&](const YAML::Node& n) { ReadSessions(source, n); }},
              {"limits", [&](const YAML::Node& n) { ReadLimits(source, n); }},
              {"dedupe", [&](const YAML::Node& n) { ReadSpan(source, n, 0, &plan_->dedupe); }},
              {"unknown_events", [&](const YAML::Node& n) { ReadUnknownEvents(source, n); }},
              {"events", [&](const YAML::Node& n) { ReadEvents(source, n); }},
              {"metrics", [&](const YAML::Node& n) { ReadMetrics(source, n); }},
              {"segments", [&](const YAML::Node& n) { ReadSegments(source, n); }},
              {"triggers", [&](const YAML::Node& n) { ReadTriggers(source, n); }},
              {"trigger_groups", [&](const YAML::Node& n) { ReadTriggerGroups(source, n); }}});
}

void PlanLoader::Report(const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    Report(sources_[static_cast<size_t>(finding.location.file)], finding.location, finding.message, finding.warning);
  }
}

void PlanLoader::CheckWhole() {
  if (failed_) return;
  Report(FindCircles(*plan_));
  if (failed_) return;
  Report(CheckTriggers(*plan_));
}

LoadedPlan LoadPlan(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<std::string> paths;
  if (fs::is_directory(path, error)) {
    for (const auto& entry : fs::directory_iterator(path, error)) {
      const auto extension = entry.path().extension();
      if (extension == ".yaml" || extension == ".yml") paths.push_back(entry.path().string());
    }
    std::sort(paths.begin(), paths.end());
    if (paths.empty()) return PlanLoader().Unreadable(path, "the folder holds no *.yaml or *.yml file");
  } else {
    paths.push_back(path);
  }
  std::vector<std::pair<std::string, std::string>> files;
  for (const std::string& file : paths) {
    std::string text;
    if (!ReadWhole(file, &text)) return PlanLoader().Unreadable(file, "cannot be read; expected a plan file or a folder of them");
    files.emplace_back(file, std::move(text));
  }
  return PlanLoader().Run(std::move(files));
}

LoadedPlan ParsePlan(std::string_view yaml, const std::string& file) {
  std::vector<std::pair<std::string, std::string>> files;
  files.emplace_back(file, std::string(yaml));
  return PlanLoader().Run(std::move(files));
}

}  // namespace attune

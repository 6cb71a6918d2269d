// The YAML values that occur throughout a plan: mappings, texts, durations, names.
#include "language/token.h"
#include "plan/loader.h"

namespace attune {

ReportAt PlanLoader::ReporterOf(const PlanSource& source) {
  return [this, &source](const YAML::Node& at, std::string message) { Report(source, at, std::move(message)); };
}

void PlanLoader::ReadFields(const PlanSource& source, const YAML::Node& map, const std::string& what,
                            const std::vector<YamlField>& fields) {
  ReadYamlFields(map, what, fields, ReporterOf(source));
}

bool PlanLoader::ReadText(const PlanSource& source, const YAML::Node& node, const std::string& what, std::string* out) {
  if (!node.IsScalar()) return Report(source, node, "expected " + what + ", found " + NodeKind(node)), false;
  *out = node.Scalar();
  return true;
}

void PlanLoader::ReadSpan(const PlanSource& source, const YAML::Node& node, Millis least, Millis* out) {
  std::string text;
  if (!ReadText(source, node, "a duration such as 30m", &text)) return;
  Millis span;
  if (!ParseDuration(text, &span) || span < least) {
    return Report(source, node, "expected a duration such as 30m, found \"" + text + "\"");
  }
  *out = span;
}

bool PlanLoader::ReadName(const PlanSource& source, const YAML::Node& at, const std::string& name, const char* what, std::map<std::string, Location>* taken) {
  const std::vector<Token> tokens = Tokenise(name);
  if (tokens.size() != 2 || tokens[0].kind != Token::Kind::kIdentifier) {
    return Report(source, at, std::string("expected the name of a ") + what + " (letters, digits, _), found \"" + name + "\""), false;
  }
  const Location here = source.At(at);
  const auto [place, inserted] = taken->emplace(name, here);
  if (inserted) return true;
  if (place->second.file == here.file) return false;  // the same mapping: reported as "occurs here twice"
  Report(source, at, std::string("the ") + what + " \"" + name + "\" is defined twice, also in " +
                         plan_->files[static_cast<size_t>(place->second.file)] + ":" + std::to_string(place->second.line));
  return false;
}

}  // namespace attune

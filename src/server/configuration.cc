#include "server/configuration.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/json.h"
#include "language/nearest.h"
#include "server/configuration_file.h"

namespace attune {
namespace {

constexpr std::string_view kPrefix = "ATTUNE_";
constexpr const char* kHidden = "(set, hidden)";

const std::string* FindIn(const Variables& texts, std::string_view name) {
  const auto found = texts.find(name);
  return found == texts.end() || found->second.empty() ? nullptr : &found->second;
}

class Loading {
 public:
  explicit Loading(const ConfigurationInput& input) : input_(input) {}

  LoadedConfiguration Run() {
    ReadFile();
    for (const Setting& setting : Settings()) Settle(setting);
    TakeSources();
    TakeSecrets();
    CheckKeys();
    WarnOfVariables();
    LoadedConfiguration loaded{std::nullopt, std::move(mistakes_), std::move(warnings_)};
    if (loaded.mistakes.empty()) loaded.configuration = std::move(result_);
    return loaded;
  }

 private:
  void ReadFile() {
    std::string path = input_.file;
    const std::string* variable = FindIn(input_.variables, kConfigVariable);
    if (path.empty() && variable) path = *variable;
    if (path.empty()) return;
    file_ = ReadConfigurationFile(path);
    for (const auto& mistake : file_.mistakes) mistakes_.push_back(ToText(mistake));
  }

  std::string PlaceOf(int line) const { return fmt::format("{}:{}", file_.path, line); }

  // Checks overridden values too, because they come into force when the overriding one is removed.
  void Settle(const Setting& setting) {
    Configuration::InForce in_force{&setting, setting.standard, "default"};
    std::optional<SettingValue> value;
    if (!setting.standard.empty()) value = CheckSetting(setting, setting.standard).value();
    if (const auto found = file_.values.find(setting.key); found != file_.values.end()) {
      value = found->second.value;
      in_force.origin = PlaceOf(found->second.line);
    }
    const std::string variable = setting.variable();
    if (const std::string* text = FindIn(input_.variables, variable)) Take(setting, variable, *text, &value, &in_force);
    const auto flag = input_.flags.find(setting.key);
    if (flag != input_.flags.end()) Take(setting, setting.flag(), flag->second, &value, &in_force);
    if (value) {
      setting.put(*value, &result_.settings);
      in_force.text = value->text;
    }
    result_.values.push_back(std::move(in_force));
  }

  void Take(const Setting& setting, const std::string& origin, const std::string& text,
            std::optional<SettingValue>* value, Configuration::InForce* in_force) {
    auto checked = CheckSetting(setting, text);
    if (!checked.ok()) return mistakes_.push_back(origin + ": " + checked.error().message);
    *value = std::move(checked).value();
    in_force->origin = origin;
  }

  void TakeSources() {
    for (const ConfigurationFile::SourceEntry& entry : file_.sources) {
      result_.settings.service.sources.push_back(entry.given);
      result_.sources.push_back({entry.given.source, !entry.given.write_key.empty(), PlaceOf(entry.line)});
    }
  }

  void TakeSecrets() {
    for (const ConfigurationFile::SecretEntry& entry : file_.secrets) {
      const auto value = ValueOf(entry);
      if (!value.ok()) {
        mistakes_.push_back(fmt::format("{}:{}:{}: the secret \"{}\" has no value: {}", file_.path, entry.line,
                                        entry.column, entry.name, value.error().message));
        continue;
      }
      result_.secrets.Add(entry.name, *value, entry.hosts);
      std::string from = "env: " + entry.env;
      if (entry.env.empty()) {
        from = "file: ";
        AppendJsonString(entry.file, &from);
      }
      result_.secret_origins.push_back({entry.name, std::move(from), entry.hosts, PlaceOf(entry.line)});
    }
  }

  Result<std::string> ValueOf(const ConfigurationFile::SecretEntry& entry) const {
    if (!entry.file.empty()) return ReadSecretFile(entry.file);
    if (const std::string* value = FindIn(input_.variables, entry.env)) return *value;
    return Error{ErrorCode::kInvalid, fmt::format("the environment variable {} is not set", entry.env)};
  }

  // A write key is public, so it must not be the API key too. It identifies one source.
  void CheckKeys() {
    const ServiceOptions& service = result_.settings.service;
    const std::string advice = "an API key is secret and a write key is public: give them different values";
    if (!service.api_key.empty() && service.api_key == service.write_key) {
      mistakes_.push_back("write_key and api_key are the same; " + advice);
    }
    for (size_t i = 0; i < service.sources.size(); ++i) {
      const auto& [source, key] = service.sources[i];
      if (key.empty()) continue;
      const std::string what =
          fmt::format("{}: the write_key of the source \"{}\"", result_.sources[i].origin, source.name);
      if (key == service.api_key) mistakes_.push_back(what + " is the api_key; " + advice);
      if (key == service.write_key && source.name != kDefaultSource) {
        mistakes_.push_back(what + " is also that of the source \"default\": give each its own");
      }
    }
  }

  void WarnOfVariables() {
    std::vector<std::string> known;
    for (const Setting& setting : Settings()) known.push_back(setting.variable().substr(kPrefix.size()));
    known.push_back(std::string(kConfigVariable).substr(kPrefix.size()));
    for (const auto& [name, value] : input_.variables) {
      if (!name.starts_with(kPrefix)) continue;
      const std::string rest = name.substr(kPrefix.size());
      if (std::find(known.begin(), known.end(), rest) != known.end()) continue;
      const std::string nearest = Nearest(rest, known);
      if (nearest.empty()) continue;
      warnings_.push_back(
          fmt::format("the variable {} sets nothing; did you mean {}{}?", name, kPrefix, nearest));
    }
  }

  const ConfigurationInput& input_;
  ConfigurationFile file_;
  Configuration result_;
  std::vector<std::string> mistakes_;
  std::vector<std::string> warnings_;
};

void AppendLine(const std::string& line, const std::string& origin, std::string* out) {
  std::string shown = origin;
  std::replace_if(shown.begin(), shown.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  *out += fmt::format("{:<44}  # {}\n", line, shown);
}

std::string ShownValue(const Configuration::InForce& in_force) {
  if (in_force.text.empty()) return "null";
  std::string shown;
  switch (in_force.setting->kind) {
    case SettingKind::kSecret: return kHidden;
    case SettingKind::kWhole:
    case SettingKind::kRate: return in_force.text;
    case SettingKind::kSwitch: return CheckSetting(*in_force.setting, in_force.text)->on ? "true" : "false";
    case SettingKind::kPath:
    case SettingKind::kAddress:
    case SettingKind::kChoice: AppendJsonString(in_force.text, &shown);  // which is YAML too
  }
  return shown;
}

void AppendList(const std::string& key, const std::vector<std::string>& items, std::string* out) {
  if (items.empty()) return;
  *out += "    " + key + ": [";
  for (const std::string& item : items) {
    if (&item != &items.front()) *out += ", ";
    AppendJsonString(item, out);
  }
  *out += "]\n";
}

}  // namespace

LoadedConfiguration LoadConfiguration(const ConfigurationInput& input) { return Loading(input).Run(); }

Variables EnvironmentVariables() {
  Variables variables;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

std::string ConfigurationYaml(const Configuration& configuration) {
  std::string out;
  for (const Configuration::InForce& in_force : configuration.values) {
    const std::string line = fmt::format("{}: {}", in_force.setting->key, ShownValue(in_force));
    AppendLine(line, in_force.text.empty() ? "not set" : in_force.origin, &out);
  }
  if (!configuration.sources.empty()) out += "sources:\n";
  for (const Configuration::SourceOrigin& source : configuration.sources) {
    AppendLine(fmt::format("  {}:", source.source.name), source.origin, &out);
    out += fmt::format("    write_key: {}\n", source.has_write_key ? kHidden : "null");
    AppendList("origins", source.source.origins, &out);
  }
  if (!configuration.secret_origins.empty()) out += "secrets:\n";
  for (const Configuration::SecretOrigin& secret : configuration.secret_origins) {
    AppendLine(fmt::format("  {}:", secret.name), secret.origin, &out);
    out += fmt::format("    {}\n    value: {}\n", secret.from, kHidden);
    AppendList("hosts", secret.hosts, &out);
  }
  return out;
}

}  // namespace attune

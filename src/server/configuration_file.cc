#include "server/configuration_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <tuple>

#include "access/secrets.h"
#include "plan/source.h"
#include "plan/yaml_fields.h"

namespace attune {
namespace {

constexpr size_t kMaxNameBytes = 64;
constexpr uintmax_t kMaxFileBytes = 1 << 20;

// What a node is, without its text: for places where a secret may stand.
std::string KindAlone(const YAML::Node& node) { return node.IsScalar() ? "text" : NodeKind(node); }

bool IsName(std::string_view name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  return !name.empty() && name.size() <= kMaxNameBytes && name.find_first_not_of(kAllowed) == std::string_view::npos;
}

bool IsVariableName(std::string_view name) {
  return IsName(name) && name.find('-') == std::string_view::npos && !(name[0] >= '0' && name[0] <= '9');
}

// `https://shop.example` as browsers send it: in lower case, without the scheme's own port. Empty: it is no origin.
std::string NormalOrigin(std::string_view text) {
  std::string origin(text);
  for (char& c : origin) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  const size_t scheme = origin.find("://");
  if (scheme == std::string::npos || scheme == 0) return "";
  const std::string host = origin.substr(scheme + 3);
  if (host.empty() || host.find_first_of("/*?#@ \t") != std::string::npos) return "";
  if (origin.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+-.") < scheme) return "";
  for (const auto& [begin, port] : {std::pair("https://", ":443"), std::pair("http://", ":80")}) {
    if (origin.starts_with(begin) && origin.ends_with(port)) origin.resize(origin.size() - std::strlen(port));
  }
  return origin;
}

class FileReading {
 public:
  FileReading(const std::string& path, std::string_view text) : source_(path, std::string(text), 0) {
    file_.path = path;
    report_ = [this](const YAML::Node& at, std::string message) { Report(at, std::move(message)); };
  }

  ConfigurationFile Run() {
    try {
      const YAML::Node root = source_.Load();
      NoteEmptyValues(root, 0);
      if (!root.IsMap() && !root.IsNull()) {
        Report(root, "expected a mapping of settings such as `listen: 127.0.0.1:8080`, found " + KindAlone(root));
      } else {
        ReadYamlFields(root, "the configuration", Fields(), report_);
      }
    } catch (const YAML::Exception& e) {
      file_.mistakes.push_back({source_.file(), e.mark.line + 1, e.mark.column + 1, "not YAML: " + e.msg});
    }
    std::stable_sort(file_.mistakes.begin(), file_.mistakes.end(), [](const auto& a, const auto& b) {
      return std::tuple(a.line, a.column) < std::tuple(b.line, b.column);
    });
    return std::move(file_);
  }

 private:
  // An empty value has no place of its own: yaml-cpp gives that of the next token. Its key's is reported instead.
  void NoteEmptyValues(const YAML::Node& node, int depth) {
    constexpr int kDepth = 3;  // the file, sources or secrets, and one of them
    if (!node.IsMap() || depth == kDepth) return;
    for (const auto& entry : node) {
      if (entry.second.IsNull()) empty_.emplace(entry.second.Mark().pos, source_.At(entry.first));
      NoteEmptyValues(entry.second, depth + 1);
    }
  }

  void Report(const YAML::Node& at, std::string message) {
    const auto empty = at.IsNull() ? empty_.find(at.Mark().pos) : empty_.end();
    const Location place = empty == empty_.end() ? source_.At(at) : empty->second;
    file_.mistakes.push_back({source_.file(), place.line, place.column, std::move(message)});
  }

  std::vector<YamlField> Fields() {
    std::vector<YamlField> fields;
    for (const Setting& setting : Settings()) {
      fields.push_back({setting.key, [this, &setting](const YAML::Node& node) { ReadSetting(setting, node); }});
    }
    fields.push_back({"sources", [this](const YAML::Node& node) { ReadSources(node); }});
    fields.push_back({"secrets", [this](const YAML::Node& node) { ReadSecrets(node); }});
    return fields;
  }

  void ReadSetting(const Setting& setting, const YAML::Node& node) {
    if (!node.IsScalar()) {
      return Report(node, fmt::format("{}: expected {}, found {}", setting.key, ExpectedOf(setting), NodeKind(node)));
    }
    auto value = CheckSetting(setting, node.Scalar());
    if (!value.ok()) return Report(node, fmt::format("{}: {}", setting.key, value.error().message));
    if (setting.kind == SettingKind::kPath) value->text = FromHere(value->text);
    file_.values.insert_or_assign(setting.key, ConfigurationFile::Value{std::move(value).value(), LineOf(node)});
  }

  // The path that the file means, from the working directory.
  std::string FromHere(const std::string& path) const {
    const std::filesystem::path folder = std::filesystem::path(source_.file()).parent_path();
    return (folder / path).lexically_normal().string();
  }

  bool CheckName(const char* what, const std::string& name, const YAML::Node& at) {
    if (IsName(name)) return true;
    Report(at, fmt::format("expected the name of a {} (letters, digits, _ and -, at most {} bytes), found \"{}\"", what,
                           kMaxNameBytes, name));
    return false;
  }

  int LineOf(const YAML::Node& node) const { return source_.At(node).line; }

  // --- sources ---

  void ReadSources(const YAML::Node& node) {
    ForEachEntry(node, "sources", report_, [&](const std::string& name, const YAML::Node& at, const YAML::Node& value) {
      if (CheckName("source", name, at)) ReadSource(name, at, value);
    });
  }

  void ReadSource(const std::string& name, const YAML::Node& at, const YAML::Node& node) {
    if (!node.IsMap()) {
      return Report(at, fmt::format("expected a mapping such as {{write_key: web-key, origins: "
                                    "[\"https://shop.example\"]}} for the source \"{}\", found {}",
                                    name, KindAlone(node)));
    }
    ConfigurationFile::SourceEntry entry{{{name, {}}, ""}, LineOf(at)};
    const size_t before = file_.mistakes.size();
    ReadYamlFields(node, "the source \"" + name + "\"",
                   {{"write_key", [&](const YAML::Node& n) { ReadWriteKey(name, n, &entry.given.write_key); }},
                    {"origins", [&](const YAML::Node& n) { ReadOrigins(n, &entry.given.source.origins); }}},
                   report_);
    if (file_.mistakes.size() == before && entry.given.write_key.empty() && name != kDefaultSource) {
      return Report(at, fmt::format("the source \"{}\" has no write_key: its events are recognised by it", name));
    }
    for (const ConfigurationFile::SourceEntry& other : file_.sources) {
      if (entry.given.write_key.empty() || entry.given.write_key != other.given.write_key) continue;
      return Report(at, fmt::format("the sources \"{}\" and \"{}\" have the same write_key: give each its own",
                                    other.given.source.name, name));
    }
    file_.sources.push_back(std::move(entry));
  }

  void ReadWriteKey(const std::string& name, const YAML::Node& node, std::string* key) {
    if (node.IsScalar() && !node.Scalar().empty()) {
      *key = node.Scalar();
      return;
    }
    Report(node, fmt::format("expected the write key of the source \"{}\", text that is not empty, found {}", name,
                             node.IsScalar() ? "nothing" : NodeKind(node)));
  }

  void ReadOrigins(const YAML::Node& node, std::vector<std::string>* origins) {
    if (!node.IsSequence() || node.size() == 0) {
      return Report(node, "expected a list of origins such as [\"https://shop.example\"], found " +
                              (node.IsSequence() ? "an empty list; leave `origins` out to allow all" : NodeKind(node)));
    }
    for (const YAML::Node& item : node) {
      const std::string origin = item.IsScalar() ? NormalOrigin(item.Scalar()) : "";
      if (origin.empty()) {
        Report(item, "expected an origin such as https://shop.example or http://localhost:3000 (scheme, host and port, "
                     "without a path or a wildcard), found " + NodeKind(item));
      } else {
        origins->push_back(origin);
      }
    }
  }

  // --- secrets ---

  void ReadSecrets(const YAML::Node& node) {
    if (!node.IsMap() && !node.IsNull()) {
      return Report(node, "expected a mapping of names for secrets, found " + KindAlone(node));
    }
    ForEachEntry(node, "secrets", report_, [&](const std::string& name, const YAML::Node& at, const YAML::Node& value) {
      if (CheckName("secret", name, at)) ReadSecret(name, at, value);
    });
  }

  void ReadSecret(const std::string& name, const YAML::Node& at, const YAML::Node& node) {
    if (!node.IsMap()) {
      return Report(at, fmt::format("expected {{env: VARIABLE, hosts: [ops.example]}} or {{file: PATH, hosts: "
                                    "[ops.example]}} for the secret \"{}\", found {}; its value never stands here",
                                    name, KindAlone(node)));
    }
    const Location place = source_.At(at);
    ConfigurationFile::SecretEntry entry{name, "", "", {}, place.line, place.column};
    const size_t before = file_.mistakes.size();
    ReadYamlFields(node, "the secret \"" + name + "\"",
                   {{"env", [&](const YAML::Node& n) { ReadVariableName(name, n, &entry.env); }},
                    {"file", [&](const YAML::Node& n) { ReadSecretPath(name, n, &entry.file); }},
                    {"hosts", [&](const YAML::Node& n) { ReadHosts(n, &entry.hosts); }}},
                   report_);
    if (file_.mistakes.size() > before) return;
    if (entry.env.empty() == entry.file.empty()) {
      return Report(at, fmt::format("the secret \"{}\" has {}: expected exactly one of them", name,
                                    entry.env.empty() ? "neither env nor file" : "both env and file"));
    }
    if (entry.hosts.empty()) {
      return Report(at, fmt::format("the secret \"{}\" has no hosts: list those that it may be sent to", name));
    }
    file_.secrets.push_back(std::move(entry));
  }

  // Does not repeat the text: somebody may have written the secret itself there.
  void ReadVariableName(const std::string& name, const YAML::Node& node, std::string* variable) {
    if (node.IsScalar() && IsVariableName(node.Scalar())) {
      *variable = node.Scalar();
      return;
    }
    Report(node, fmt::format("expected the name of an environment variable for the secret \"{}\", found {}", name,
                             node.IsScalar() ? "other text" : NodeKind(node)));
  }

  void ReadSecretPath(const std::string& name, const YAML::Node& node, std::string* path) {
    if (node.IsScalar() && !node.Scalar().empty()) {
      *path = FromHere(node.Scalar());
      return;
    }
    Report(node, fmt::format("expected the path of a file for the secret \"{}\", found {}", name,
                             node.IsScalar() ? "nothing" : NodeKind(node)));
  }

  void ReadHosts(const YAML::Node& node, std::vector<std::string>* hosts) {
    if (!node.IsSequence() || node.size() == 0) {
      return Report(node, "expected a list of hosts such as [ops.example], found " +
                              (node.IsSequence() ? "an empty list" : NodeKind(node)));
    }
    for (const YAML::Node& item : node) {
      auto host = CheckedHost(item.IsScalar() ? item.Scalar() : "");
      if (host.ok()) {
        hosts->push_back(std::move(host).value());
      } else {
        Report(item, item.IsScalar() ? host.error().message : "expected a host, found " + NodeKind(item));
      }
    }
  }

  const PlanSource source_;
  ConfigurationFile file_;
  ReportAt report_;
  std::map<int, Location> empty_;  // the place of the key, by the position that the empty value claims
};

ConfigurationFile Unreadable(const std::string& path, const std::string& why) {
  ConfigurationFile file;
  file.path = path;
  file.mistakes.push_back({path, 1, 1, why + "; expected a YAML file of settings"});
  return file;
}

}  // namespace

ConfigurationFile ParseConfiguration(const std::string& path, std::string_view text) {
  return FileReading(path, text).Run();
}

ConfigurationFile ReadConfigurationFile(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return Unreadable(path, "this is a folder");
  std::ifstream in(path, std::ios::binary);
  if (!in) return Unreadable(path, std::string("cannot be read: ") + std::strerror(errno));
  if (std::filesystem::file_size(path, error) > kMaxFileBytes && !error) return Unreadable(path, "longer than 1 MiB");
  std::ostringstream text;
  text << in.rdbuf();
  return ParseConfiguration(path, text.str());
}

}  // namespace attune

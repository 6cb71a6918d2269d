#include "server/setting.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace attune {
namespace {

constexpr int64_t kMostKept = 1'000'000'000;

std::vector<Setting> MakeSettings() {
  const ServiceOptions standard;
  return {
      {"plan", SettingKind::kPath, "", "the plan: a YAML file, or a folder of them",
       [](const SettingValue& v, ServeSettings* s) { s->service.plan_path = v.text; }},
      {"data", SettingKind::kPath, "", "the folder that holds all state; created if it is missing",
       [](const SettingValue& v, ServeSettings* s) { s->service.data = v.text; }},
      {"listen", SettingKind::kAddress, "127.0.0.1:8080", "HOST:PORT; port 0 picks a free one",
       [](const SettingValue& v, ServeSettings* s) {
         s->service.host = v.host;
         s->service.port = v.port;
       }},
      {"admin_listen", SettingKind::kAddress, "",
       "HOST:PORT of a second listener, where /metrics needs no key; nothing that needs one is there",
       [](const SettingValue& v, ServeSettings* s) { s->service.admin_listen = v.text; }},
      {"metrics", SettingKind::kChoice, "closed",
       "who may read /metrics on `listen`: open (everybody) or closed (those with an API key)",
       [](const SettingValue& v, ServeSettings* s) { s->service.metrics_open = v.text == "open"; },
       0, 0, {"closed", "open"}},
      {"write_key", SettingKind::kSecret, "", "a write key that is valid beside the stored ones",
       [](const SettingValue& v, ServeSettings* s) { s->service.write_key = v.text; }},
      {"api_key", SettingKind::kSecret, "", "an API key that is valid beside the stored ones",
       [](const SettingValue& v, ServeSettings* s) { s->service.api_key = v.text; }},
      {"threads", SettingKind::kWhole, "0", "threads of the server and of the shard loops each; 0: one for each core",
       [](const SettingValue& v, ServeSettings* s) { s->service.threads = static_cast<int>(v.whole); },
       0, 1000},
      {"keep_effects", SettingKind::kWhole, std::to_string(standard.keep_effects),
       "about how many changes and firings /v1/stream can repeat; none older than 7 days",
       [](const SettingValue& v, ServeSettings* s) { s->service.keep_effects = static_cast<size_t>(v.whole); },
       1, kMostKept},
      {"keep_dead_letters", SettingKind::kWhole, std::to_string(standard.keep_letters.letters),
       "about how many dead letters are kept, in about 1 GiB; beyond it refused requests go first, then the oldest "
       "events",
       [](const SettingValue& v, ServeSettings* s) {
         s->service.keep_letters.letters = static_cast<uint64_t>(v.whole);
       },
       1, kMostKept},
      {"rate_limit", SettingKind::kRate, "", "events a second that a write key may send; not set: no limit",
       [](const SettingValue& v, ServeSettings* s) { s->service.rates.per_key = v.number; }},
      {"rate_limit_network", SettingKind::kRate, "",
       "events a second that the clients of one network (/24, /48) may send; not set: no limit",
       [](const SettingValue& v, ServeSettings* s) { s->service.rates.per_network = v.number; }},
      {"max_connections_per_network", SettingKind::kWhole, std::to_string(standard.connections_per_network),
       "connections at a time from one network (/24, /48; loopback is none); 0: no limit",
       [](const SettingValue& v, ServeSettings* s) {
         s->service.connections_per_network = static_cast<int>(v.whole);
       },
       0, 1'000'000},
      {"log_format", SettingKind::kChoice, "auto",
       "the format on stderr: text, json (a line each), or auto: text on a terminal",
       [](const SettingValue& v, ServeSettings* s) { s->log_format = v.text; },
       0, 0, {"auto", "text", "json"}},
      {"access_log", SettingKind::kSwitch, "false",
       "a line on stderr for each answer: its route, status, size, time, and the client's network",
       [](const SettingValue& v, ServeSettings* s) { s->service.access_lines = v.on; }},
  };
}

template <typename Number>
bool ReadNumber(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

bool ReadSwitch(std::string_view text, bool* on) {
  *on = text == "true" || text == "yes" || text == "on" || text == "1";
  return *on || text == "false" || text == "no" || text == "off" || text == "0";
}

bool ReadValue(const Setting& setting, SettingValue* value) {
  const std::string& text = value->text;
  switch (setting.kind) {
    case SettingKind::kPath:
    case SettingKind::kSecret: return !text.empty();
    case SettingKind::kAddress: return ParseListen(text, &value->host, &value->port);
    case SettingKind::kWhole:
      return ReadNumber(text, &value->whole) && value->whole >= setting.least && value->whole <= setting.most;
    case SettingKind::kRate:
      return ReadNumber(text, &value->number) && std::isfinite(value->number) && value->number > 0;
    case SettingKind::kSwitch: return ReadSwitch(text, &value->on);
    case SettingKind::kChoice:
      return std::find(setting.choices.begin(), setting.choices.end(), text) != setting.choices.end();
  }
  return false;
}

}  // namespace

std::string Setting::flag() const {
  if (is_secret()) return "";
  std::string name = std::string("--") + key;
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::string Setting::variable() const {
  std::string name = std::string("ATTUNE_") + key;
  for (char& c : name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return name;
}

const std::vector<Setting>& Settings() {
  static const std::vector<Setting> settings = MakeSettings();
  return settings;
}

std::string ExpectedOf(const Setting& setting) {
  switch (setting.kind) {
    case SettingKind::kPath: return "a path";
    case SettingKind::kAddress: return "HOST:PORT such as 127.0.0.1:8080";
    case SettingKind::kWhole: return fmt::format("a whole number from {} to {}", setting.least, setting.most);
    case SettingKind::kRate: return "a number above 0 (leave it out for no limit)";
    case SettingKind::kSwitch: return "true or false";
    case SettingKind::kChoice: return fmt::format("one of {}", fmt::join(setting.choices, ", "));
    case SettingKind::kSecret: return "text that is not empty";
  }
  return "";
}

Result<SettingValue> CheckSetting(const Setting& setting, std::string_view text) {
  SettingValue value{std::string(text)};
  if (ReadValue(setting, &value)) return value;
  std::string found = setting.is_secret() ? (text.empty() ? "nothing" : "other text") : fmt::format("\"{}\"", text);
  return Error{ErrorCode::kInvalid, fmt::format("expected {}, found {}", ExpectedOf(setting), found)};
}

}  // namespace attune

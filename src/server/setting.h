// The table of the settings of `attune serve`, the only list of them. The configuration file, the environment
// variables, the flags and `attune config` are made from it, so a new setting is one row.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/service.h"

namespace attune {

// What the settings fill in.
struct ServeSettings {
  ServiceOptions service;  // with plan_path; empty `data` or `plan_path`: not set
  std::string log_format;  // auto, text or json
};

enum class SettingKind {
  kPath,     // relative to the configuration file, if it stands there
  kAddress,  // HOST:PORT
  kWhole,    // a whole number from `least` to `most`
  kRate,     // a number above 0
  kSwitch,   // true or false
  kChoice,   // one of `choices`
  kSecret,   // any text; has no flag, because command lines are visible to other processes, and is never printed
};

// The value of a setting, checked for its kind.
struct SettingValue {
  std::string text;    // as given
  int64_t whole = 0;   // kWhole
  double number = 0;   // kRate
  bool on = false;     // kSwitch
  std::string host{};  // kAddress
  uint16_t port = 0;   // kAddress
};

struct Setting {
  const char* key;        // in the file; the flag and the variable are made from it
  SettingKind kind;
  std::string standard;  // the default as text; empty: none
  const char* help;
  void (*put)(const SettingValue& value, ServeSettings* settings);
  int64_t least = 0, most = 0;
  std::vector<std::string> choices{};

  bool is_secret() const { return kind == SettingKind::kSecret; }
  std::string flag() const;      // `--keep-effects`; empty for a secret
  std::string variable() const;  // `ATTUNE_KEEP_EFFECTS`
};

const std::vector<Setting>& Settings();

// The variable that names the configuration file, as `--config` does.
inline constexpr const char* kConfigVariable = "ATTUNE_CONFIG";

// kInvalid: the text is no value of this setting. The message says what is expected and, except for secrets, what was
// found.
Result<SettingValue> CheckSetting(const Setting& setting, std::string_view text);
// What CheckSetting expects: `a whole number from 0 to 1000`.
std::string ExpectedOf(const Setting& setting);

}  // namespace attune

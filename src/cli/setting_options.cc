#include "cli/setting_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

namespace attune {
namespace {

// What stands for the value in --help.
std::string TypeNameOf(const Setting& setting) {
  switch (setting.kind) {
    case SettingKind::kPath: return "PATH";
    case SettingKind::kAddress: return "HOST:PORT";
    case SettingKind::kWhole:
    case SettingKind::kRate: return "N";
    case SettingKind::kChoice: return fmt::format("{}", fmt::join(setting.choices, "|"));
    case SettingKind::kSwitch:
    case SettingKind::kSecret: break;
  }
  return "TEXT";
}

}  // namespace

void SettingOptions::AddTo(CLI::App* app) {
  app->add_option("--config", config_, fmt::format("a YAML file of settings; also {}", kConfigVariable))
      ->type_name("PATH");
  texts_.resize(Settings().size());
  for (size_t i = 0; i < Settings().size(); ++i) {
    const Setting& setting = Settings()[i];
    if (setting.is_secret()) {
      options_.push_back(nullptr);
    } else if (setting.kind == SettingKind::kSwitch) {
      options_.push_back(app->add_flag(setting.flag(), texts_[i], setting.help));
    } else {
      CLI::Option* option = app->add_option(setting.flag(), texts_[i], setting.help);
      options_.push_back(option->type_name(TypeNameOf(setting))->default_str(setting.standard));
    }
  }
}

ConfigurationInput SettingOptions::Input() const {
  ConfigurationInput input{config_, {}, EnvironmentVariables()};
  for (size_t i = 0; i < options_.size(); ++i) {
    if (options_[i] && options_[i]->count() > 0) input.flags.emplace(Settings()[i].key, texts_[i]);
  }
  return input;
}

void PrintProblems(const LoadedConfiguration& loaded, bool warnings_too) {
  for (const std::string& mistake : loaded.mistakes) fmt::print(stderr, "{}\n", mistake);
  if (!warnings_too) return;
  for (const std::string& warning : loaded.warnings) fmt::print(stderr, "warning: {}\n", warning);
}

}  // namespace attune

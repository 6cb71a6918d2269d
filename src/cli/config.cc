// attune config: what is in force for `attune serve`, and where each value comes from.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/setting_options.h"

namespace attune {
namespace {

SettingOptions config_options;

}  // namespace

void ConfigOptions(CLI::App* app) { config_options.AddTo(app); }

int RunConfig() {
  const LoadedConfiguration loaded = LoadConfiguration(config_options.Input());
  PrintProblems(loaded, true);
  if (!loaded.configuration) return kExitInvalid;
  fmt::print("{}", ConfigurationYaml(*loaded.configuration));
  return kExitDone;
}

}  // namespace attune

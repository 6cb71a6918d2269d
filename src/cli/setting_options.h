// The options of `serve` and `config`, made from the table of settings (server/setting.h).
#pragma once

#include <string>
#include <vector>

#include "server/configuration.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace attune {

class SettingOptions {
 public:
  // Adds `--config` and the flag of each setting that has one. The object must outlive the parsing.
  void AddTo(CLI::App* app);
  // What was given on the command line and in the environment.
  ConfigurationInput Input() const;

 private:
  std::string config_;
  std::vector<std::string> texts_;        // by the index of the setting
  std::vector<CLI::Option*> options_;  // likewise; null: the setting has no flag
};

// Prints mistakes and, if `warnings_too`, warnings to stderr.
void PrintProblems(const LoadedConfiguration& loaded, bool warnings_too);

}  // namespace attune

// The configuration file of `attune serve` as it stands, before it is combined with variables and flags.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "access/source.h"
// Declares `struct Problem`, which a function of http/problem.h hides: so it comes first.
#include "plan/plan.h"

#include "server/setting.h"

namespace attune {

struct ConfigurationFile {
  struct Value {
    SettingValue value;
    int line;
  };
  struct SourceEntry {
    GivenSource given;
    int line;
  };
  // Where a secret comes from; one of `env` and `file` is set.
  struct SecretEntry {
    std::string name;
    std::string env;   // the name of a variable
    std::string file;  // a path, already relative to the working directory
    std::vector<std::string> hosts;
    int line, column;
  };

  std::string path;
  std::map<std::string, Value, std::less<>> values;  // by key; paths are relative to the working directory
  std::vector<SourceEntry> sources;
  std::vector<SecretEntry> secrets;
  std::vector<struct Problem> mistakes;  // in the order of the file; with any, the rest may be incomplete
};

// Reads the file at `path`. A file that cannot be read is a mistake.
ConfigurationFile ReadConfigurationFile(const std::string& path);
// The same from text; `path` is for messages and for relative paths.
ConfigurationFile ParseConfiguration(const std::string& path, std::string_view text);

}  // namespace attune

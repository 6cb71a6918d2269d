// What is in force for a server: each setting from a flag, else from an environment variable, else from the
// configuration file, else its default; and the sources and secrets of the file.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "access/secrets.h"
#include "server/setting.h"

namespace attune {

using Variables = std::map<std::string, std::string, std::less<>>;

struct ConfigurationInput {
  std::string file;  // path; empty: the one that kConfigVariable names, else none
  std::map<std::string, std::string, std::less<>> flags{};  // those that were given, by key
  Variables variables{};                                    // the environment
};

struct Configuration {
  struct InForce {
    const Setting* setting;
    std::string text;    // empty: not set, and without a default
    std::string origin;  // `--data`, `ATTUNE_DATA`, `attune.yaml:3` or `default`
  };
  struct SecretOrigin {
    std::string name;
    std::string from;  // `env: OPS_SECRET` or `file: "/run/secrets/ops"`
    std::vector<std::string> hosts;
    std::string origin;
  };
  struct SourceOrigin {
    Source source;
    bool has_write_key;
    std::string origin;
  };

  ServeSettings settings;
  Secrets secrets;
  std::vector<InForce> values;  // of all settings, in the order of Settings()
  std::vector<SourceOrigin> sources;
  std::vector<SecretOrigin> secret_origins;
};

struct LoadedConfiguration {
  std::optional<Configuration> configuration;  // absent if there is a mistake
  std::vector<std::string> mistakes;           // one line each; of the file as `file:line:column: message`
  std::vector<std::string> warnings;
};

LoadedConfiguration LoadConfiguration(const ConfigurationInput& input);

// The environment of the process.
Variables EnvironmentVariables();

// What is in force as YAML, each line with its origin as a comment. Keys and secrets are hidden.
std::string ConfigurationYaml(const Configuration& configuration);

}  // namespace attune

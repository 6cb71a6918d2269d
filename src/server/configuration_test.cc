#include "server/configuration.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "server/configuration_file.h"

namespace attune {
namespace {

// A folder with files that vanishes with the test.
class ConfigurationTest : public testing::Test {
 protected:
  ConfigurationTest() : folder_(std::filesystem::temp_directory_path() / ("attune-config-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~ConfigurationTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, std::string_view text) const {
    const std::string path = (folder_ / name).string();
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  // The value in force and its origin, `value < origin`.
  static std::string InForce(const Configuration& configuration, std::string_view key) {
    for (const auto& value : configuration.values) {
      if (value.setting->key == key) return value.text + " < " + value.origin;
    }
    return "";
  }

  const std::filesystem::path folder_;
};

TEST_F(ConfigurationTest, WithoutAnythingTheDefaultsAreThoseOfAService) {
  const LoadedConfiguration loaded = LoadConfiguration({});
  ASSERT_TRUE(loaded.configuration) << loaded.mistakes[0];
  EXPECT_TRUE(loaded.warnings.empty());
  const ServiceOptions& service = loaded.configuration->settings.service;
  const ServiceOptions standard;
  EXPECT_EQ(service.data, "");
  EXPECT_EQ(service.plan_path, "");
  EXPECT_EQ(service.host, standard.host);
  EXPECT_EQ(service.port, standard.port);
  EXPECT_EQ(service.threads, standard.threads);
  EXPECT_EQ(service.keep_effects, standard.keep_effects);
  EXPECT_EQ(service.keep_letters.letters, standard.keep_letters.letters);
  EXPECT_EQ(service.rates.per_key, standard.rates.per_key);
  EXPECT_EQ(service.connections_per_network, standard.connections_per_network);
  EXPECT_EQ(service.access_lines, standard.access_lines);
  EXPECT_EQ(service.admin_listen, "");
  EXPECT_FALSE(service.metrics_open);
  EXPECT_EQ(loaded.configuration->settings.log_format, "auto");
}

TEST_F(ConfigurationTest, FlagsCountBeforeVariablesAndVariablesBeforeTheFile) {
  const std::string path = Write("attune.yaml", "threads: 2\nkeep_effects: 20\nrate_limit: 2.5\nlog_format: json\n");
  const LoadedConfiguration loaded =
      LoadConfiguration({path,
                         {{"threads", "4"}},
                         {{"ATTUNE_THREADS", "3"}, {"ATTUNE_KEEP_EFFECTS", "30"}, {"ATTUNE_LOG_FORMAT", ""}}});
  ASSERT_TRUE(loaded.configuration) << loaded.mistakes[0];
  const Configuration& configuration = *loaded.configuration;
  EXPECT_EQ(InForce(configuration, "threads"), "4 < --threads");
  EXPECT_EQ(InForce(configuration, "keep_effects"), "30 < ATTUNE_KEEP_EFFECTS");
  EXPECT_EQ(InForce(configuration, "rate_limit"), "2.5 < " + path + ":3");
  EXPECT_EQ(InForce(configuration, "log_format"), "json < " + path + ":4");  // an empty variable is not set
  EXPECT_EQ(InForce(configuration, "keep_dead_letters"), "1000000 < default");
  EXPECT_EQ(configuration.settings.service.threads, 4);
  EXPECT_EQ(configuration.settings.service.keep_effects, 30u);
  EXPECT_EQ(configuration.settings.service.rates.per_key, 2.5);
  EXPECT_EQ(configuration.settings.log_format, "json");
}

TEST_F(ConfigurationTest, EverySettingIsTakenFromTheFile) {
  const std::string path = Write("all.yaml", R"(
plan: plans/shop.yaml
data: /var/lib/attune
listen: "[::1]:9000"
admin_listen: 127.0.0.1:9001
metrics: open
write_key: wk
api_key: ak
threads: 3
keep_effects: 5
keep_dead_letters: 6
rate_limit: 7
rate_limit_network: 0.5
max_connections_per_network: 8
log_format: text
access_log: true
)");
  const LoadedConfiguration loaded = LoadConfiguration({path});
  ASSERT_TRUE(loaded.configuration) << loaded.mistakes[0];
  const ServiceOptions& service = loaded.configuration->settings.service;
  EXPECT_EQ(service.plan_path, (folder_ / "plans/shop.yaml").string());  // relative to the file
  EXPECT_EQ(service.data, "/var/lib/attune");
  EXPECT_EQ(service.host, "::1");
  EXPECT_EQ(service.port, 9000);
  EXPECT_EQ(service.admin_listen, "127.0.0.1:9001");
  EXPECT_TRUE(service.metrics_open);
  EXPECT_EQ(service.write_key, "wk");
  EXPECT_EQ(service.api_key, "ak");
  EXPECT_EQ(service.threads, 3);
  EXPECT_EQ(service.keep_effects, 5u);
  EXPECT_EQ(service.keep_letters.letters, 6u);
  EXPECT_EQ(service.rates.per_key, 7);
  EXPECT_EQ(service.rates.per_network, 0.5);
  EXPECT_EQ(service.connections_per_network, 8);
  EXPECT_EQ(loaded.configuration->settings.log_format, "text");
  EXPECT_TRUE(service.access_lines);
  for (const auto& value : loaded.configuration->values) EXPECT_NE(value.origin, "default") << value.setting->key;
}

TEST_F(ConfigurationTest, AMistakeOfTheFileHasItsPlace) {
  const struct {
    const char* yaml;
    const char* message;  // after the path
  } kBad[] = {
      {"lisen: 127.0.0.1:80\n", ":1:1: unknown key \"lisen\" in the configuration; did you mean \"listen\"?"},
      {"\nthreads: many\n", ":2:10: threads: expected a whole number from 0 to 1000, found \"many\""},
      {"threads: [2]\n", ":1:10: threads: expected a whole number from 0 to 1000, found a list"},
      {"threads: -1\n", ":1:10: threads: expected a whole number from 0 to 1000, found \"-1\""},
      {"rate_limit: 0\n", ":1:13: rate_limit: expected a number above 0 (leave it out for no limit), found \"0\""},
      {"rate_limit: nan\n", ":1:13: rate_limit: expected a number above 0 (leave it out for no limit), found \"nan\""},
      {"listen: 8080\n", ":1:9: listen: expected HOST:PORT such as 127.0.0.1:8080, found \"8080\""},
      {"metrics: opened\n", ":1:10: metrics: expected one of closed, open, found \"opened\""},
      {"access_log: maybe\n", ":1:13: access_log: expected true or false, found \"maybe\""},
      {"plan:\n", ":1:1: plan: expected a path, found nothing"},
      {"plan: # none\n\ndata: a\n", ":1:1: plan: expected a path, found nothing"},
      {"sources:\n  web:\n    write_key:\n", ":3:5: expected the write key of the source \"web\", text that is not empty, found nothing"},
      {"write_key: {a: b}\n", ":1:12: write_key: expected text that is not empty, found a mapping"},
      {"threads: 1\nthreads: 2\n", ":2:1: \"threads\" occurs here twice"},
      {"threads: 1: 2\n", ":1:11: not YAML: "},
      {"secret text\n", ":1:1: expected a mapping of settings such as `listen: 127.0.0.1:8080`, found text"},
      {"sources: {web: {origins: [\"https://a.example\"]}}\n", ":1:11: the source \"web\" has no write_key"},
      {"sources: {web: wk}\n", ":1:11: expected a mapping such as {write_key: "},
      {"sources: {web: {write_key: [1]}}\n", ":1:28: expected the write key of the source \"web\", text that is not empty, found a list"},
      {"sources: {\"w b\": {write_key: a}}\n", ":1:11: expected the name of a source (letters, digits, _ and -, at most 64 bytes), found \"w b\""},
      {"sources: {web: {write_key: a, deny: [b]}}\n", ":1:31: unknown key \"deny\" in the source \"web\"; expected one of write_key, origins"},
      {"sources: {a: {write_key: k}, b: {write_key: k}}\n", ":1:30: the sources \"a\" and \"b\" have the same write_key"},
      {"sources: {a: {write_key: k, origins: []}}\n", ":1:38: expected a list of origins such as [\"https://shop.example\"], found an empty list"},
      {"sources: {a: {write_key: k, origins: \"*\"}}\n", ":1:38: expected a list of origins"},
      {"secrets: {ops: hunter2}\n", ":1:11: expected {env: VARIABLE, hosts: [ops.example]}"},
      {"secrets: hunter2\n", ":1:10: expected a mapping of names for secrets, found text"},
      {"secrets: {ops: {hosts: [a]}}\n", ":1:11: the secret \"ops\" has neither env nor file: expected exactly one of them"},
      {"secrets: {ops: {env: A, file: b, hosts: [a]}}\n", ":1:11: the secret \"ops\" has both env and file: expected exactly one of them"},
      {"secrets: {ops: {env: A}}\n", ":1:11: the secret \"ops\" has no hosts"},
      {"secrets: {ops: {env: \"hunter2!\", hosts: [a]}}\n", ":1:22: expected the name of an environment variable for the secret \"ops\", found other text"},
      {"secrets: {ops: {env: A, hosts: [\"*.example\"]}}\n", ":1:33: expected a host such as ops.example, found \"*.example\"; a wildcard"},
      {"secrets: {ops: {env: NOT_SET, hosts: [a]}}\n", ":1:11: the secret \"ops\" has no value: the environment variable NOT_SET is not set"},
      {"secrets: {ops: {file: missing, hosts: [a]}}\n", ":1:11: the secret \"ops\" has no value: cannot read the file "},
  };
  for (const auto& [yaml, message] : kBad) {
    const std::string path = Write("bad.yaml", yaml);
    const LoadedConfiguration loaded = LoadConfiguration({path});
    EXPECT_FALSE(loaded.configuration) << yaml;
    ASSERT_EQ(loaded.mistakes.size(), 1u) << yaml;
    EXPECT_TRUE(loaded.mistakes[0].starts_with(path + message)) << loaded.mistakes[0] << "\n  expected " << message;
    EXPECT_EQ(loaded.mistakes[0].find("hunter2"), std::string::npos) << loaded.mistakes[0];
  }
}

TEST_F(ConfigurationTest, AllMistakesAreReportedAlsoOfValuesThatAreOverridden) {
  const std::string path = Write("bad.yaml", "threads: x\nlog_format: xml\n");
  const LoadedConfiguration loaded =
      LoadConfiguration({path, {{"threads", "3"}, {"keep_effects", "0"}}, {{"ATTUNE_ACCESS_LOG", "2"}}});
  EXPECT_FALSE(loaded.configuration);
  EXPECT_EQ(loaded.mistakes,
            (std::vector<std::string>{path + ":1:10: threads: expected a whole number from 0 to 1000, found \"x\"",
                                      path + ":2:13: log_format: expected one of auto, text, json, found \"xml\"",
                                      "--keep-effects: expected a whole number from 1 to 1000000000, found \"0\"",
                                      "ATTUNE_ACCESS_LOG: expected true or false, found \"2\""}));
}

TEST_F(ConfigurationTest, AFileThatCannotBeReadIsAMistake) {
  for (const std::string& path : {(folder_ / "none.yaml").string(), folder_.string()}) {
    for (const auto& input : {ConfigurationInput{path}, ConfigurationInput{"", {}, {{"ATTUNE_CONFIG", path}}}}) {
      const LoadedConfiguration loaded = LoadConfiguration(input);
      ASSERT_EQ(loaded.mistakes.size(), 1u);
      EXPECT_TRUE(loaded.mistakes[0].starts_with(path + ":1:1: ")) << loaded.mistakes[0];
    }
  }
}

TEST_F(ConfigurationTest, AVariableThatLooksLikeASettingIsWarnedOf) {
  const LoadedConfiguration loaded = LoadConfiguration(
      {"", {}, {{"ATTUNE_PLNA", "x"}, {"ATTUNE_KEEP_EFECTS", "x"}, {"ATTUNE_SEED", "1"}, {"PLAN", "x"}, {"ATTUNE_BINARY", "x"}}});
  ASSERT_TRUE(loaded.configuration);
  EXPECT_EQ(loaded.warnings, (std::vector<std::string>{
                                 "the variable ATTUNE_KEEP_EFECTS sets nothing; did you mean ATTUNE_KEEP_EFFECTS?",
                                 "the variable ATTUNE_PLNA sets nothing; did you mean ATTUNE_PLAN?"}));
}

TEST_F(ConfigurationTest, SourcesHaveKeysAndOrigins) {
  const std::string path = Write("attune.yaml", R"(
sources:
  web: {write_key: wk-web, origins: ["HTTPS://Shop.Example:443", "http://localhost:3000"]}
  app: {write_key: wk-app}
  default: {origins: ["https://intranet.example"]}
)");
  const LoadedConfiguration loaded = LoadConfiguration({path});
  ASSERT_TRUE(loaded.configuration) << loaded.mistakes[0];
  const auto& sources = loaded.configuration->settings.service.sources;
  ASSERT_EQ(sources.size(), 3u);
  EXPECT_EQ(sources[0].source.name, "web");
  EXPECT_EQ(sources[0].write_key, "wk-web");
  EXPECT_EQ(sources[0].source.origins, (std::vector<std::string>{"https://shop.example", "http://localhost:3000"}));
  EXPECT_TRUE(sources[0].source.Allows("https://shop.example"));
  EXPECT_FALSE(sources[0].source.Allows("https://shop.example.evil.example"));
  EXPECT_FALSE(sources[0].source.Allows("null"));
  EXPECT_TRUE(sources[1].source.Allows("https://anywhere.example"));
  EXPECT_EQ(sources[2].write_key, "");
  for (const char* origin : {"shop.example", "https://shop.example/", "https://*.example", "https://", "://a", "null", "https://a b"}) {
    const auto file = ParseConfiguration("a.yaml", "sources: {a: {write_key: k, origins: [\"" + std::string(origin) + "\"]}}");
    ASSERT_EQ(file.mistakes.size(), 1u) << origin;
    EXPECT_TRUE(file.mistakes[0].message.starts_with("expected an origin such as https://shop.example")) << origin;
  }
}

TEST_F(ConfigurationTest, AKeyHasOneMeaning) {
  const struct {
    const char* yaml;
    const char* message;
  } kBad[] = {
      {"write_key: k\napi_key: k\n", "write_key and api_key are the same; an API key is secret"},
      {"api_key: k\nsources: {web: {write_key: k}}\n", "the write_key of the source \"web\" is the api_key"},
      {"write_key: k\nsources: {web: {write_key: k}}\n", "the write_key of the source \"web\" is also that of the source \"default\""},
  };
  for (const auto& [yaml, message] : kBad) {
    const LoadedConfiguration loaded = LoadConfiguration({Write("bad.yaml", yaml)});
    ASSERT_EQ(loaded.mistakes.size(), 1u) << yaml;
    EXPECT_NE(loaded.mistakes[0].find(message), std::string::npos) << loaded.mistakes[0];
  }
}

TEST_F(ConfigurationTest, SecretsAreReadAndHidden) {
  Write("token", "t0ken-value\n");
  const std::string path = Write("attune.yaml", R"(
write_key: wk-hidden
sources: {web: {write_key: wk-web-hidden}}
secrets:
  ops: {env: OPS_SECRET, hosts: [OPS.example, 10.0.0.1]}
  crm: {file: token, hosts: [api.example]}
)");
  const LoadedConfiguration loaded =
      LoadConfiguration({path, {}, {{"OPS_SECRET", "0ps-value"}, {"ATTUNE_API_KEY", "ak-hidden"}}});
  ASSERT_TRUE(loaded.configuration) << loaded.mistakes[0];
  const Secrets& secrets = loaded.configuration->secrets;
  EXPECT_EQ(*secrets.Find("ops"), "0ps-value");
  EXPECT_EQ(*secrets.Find("crm"), "t0ken-value");
  EXPECT_TRUE(secrets.MayGoTo("ops", "ops.example"));
  EXPECT_FALSE(secrets.MayGoTo("ops", "api.example"));
  const std::string yaml = ConfigurationYaml(*loaded.configuration);
  for (const char* value : {"wk-hidden", "wk-web-hidden", "ak-hidden", "0ps-value", "t0ken-value"}) {
    EXPECT_EQ(yaml.find(value), std::string::npos) << yaml;
  }
  for (const std::string& line :
       {std::string("write_key: (set, hidden)"), "# " + path + ":2\n", std::string("# ATTUNE_API_KEY\n"),
        std::string("    write_key: (set, hidden)\n"), std::string("    env: OPS_SECRET\n    value: (set, hidden)\n"),
        std::string("    hosts: [\"ops.example\", \"10.0.0.1\"]\n"), "    file: \"" + (folder_ / "token").string() + "\"\n"}) {
    EXPECT_NE(yaml.find(line), std::string::npos) << line << "\n  in\n" << yaml;
  }
}

// The page's table and the options are made from these; a row that is not consistent would surface only in use.
TEST(SettingTable, EveryRowIsConsistent) {
  std::set<std::string> keys;
  for (const Setting& setting : Settings()) {
    EXPECT_TRUE(keys.insert(setting.key).second) << setting.key;
    EXPECT_NE(setting.put, nullptr) << setting.key;
    if (!setting.standard.empty()) {
      EXPECT_TRUE(CheckSetting(setting, setting.standard).ok()) << setting.key;
    }
    EXPECT_EQ(setting.flag().empty(), setting.is_secret()) << setting.key;
  }
  EXPECT_EQ(Settings()[0].variable(), "ATTUNE_PLAN");
  EXPECT_EQ(std::find_if(Settings().begin(), Settings().end(), [](const Setting& s) { return s.flag() == "--keep-dead-letters"; })->variable(),
            "ATTUNE_KEEP_DEAD_LETTERS");
}

}  // namespace
}  // namespace attune

// attune suggest: thresholds of a metric worth a segment, from history files or from the log of a data folder.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "analysis/suggestion.h"
#include "analysis/suggestion_text.h"
#include "cli/command.h"
#include "cli/plan_input.h"
#include "cli/remote_server.h"
#include "history/file_history.h"
#include "log/file/log_folder.h"

namespace attune {
namespace {

struct SuggestSettings {
  std::string metric;
  std::string goal;
  std::string horizon;
  std::string at;
  std::string validate_at;
  std::string plan;
  std::vector<std::string> events;
  std::string csv;
  std::string data;
  std::string server;
  bool json = false;
} suggest_settings;

bool ReadInstant(const char* option, const std::string& text, std::optional<Millis>* instant) {
  if (text.empty()) return true;
  *instant = ParseInstant(text);
  if (*instant) return true;
  Complain(fmt::format("{}: expected a time such as 2026-03-01T10:00:00Z or epoch milliseconds, found \"{}\"", option, text), kExitInvalid);
  return false;
}

int Fail(const Error& error) {
  const bool wrong = error.code == ErrorCode::kInvalid || error.code == ErrorCode::kNotFound;
  return Complain(error.message, wrong ? kExitInvalid : kExitFailed);
}

int Suggest(const SuggestQuestion& question, StoredHistory* history) {
  ShownHistory shown(history, {"who is who", "what they did"});
  StudyProgress progress;
  const auto answer = RunSuggestion(question, &shown, &progress);
  if (!answer.ok()) return Fail(answer.error());
  if (suggest_settings.json) {
    fmt::print("{}\n", SuggestionJson(question, *answer));
  } else {
    fmt::print("{}", SuggestionText(question, *answer));
  }
  return kExitDone;
}

// Asks a running server, which answers with the text or the JSON that is printed here.
int SuggestByServer() {
  const SuggestSettings& asked = suggest_settings;
  if (!asked.plan.empty()) return Complain("--plan is for --data and --events: a server has its own plan", kExitInvalid);
  int code = kExitDone;
  auto server = RemoteServer::Connect(asked.server, &code);
  if (!server) return code;
  QueryPairs query{{"metric", asked.metric}, {"goal", asked.goal}};
  const std::pair<const char*, const std::string*> optional[] = {
      {"horizon", &asked.horizon}, {"at", &asked.at}, {"validate_at", &asked.validate_at}};
  for (const auto& [name, value] : optional) {
    if (!value->empty()) query.emplace_back(name, *value);
  }
  const auto answer = server->Get("/v1/suggest", query, asked.json ? "application/json" : "text/plain");
  if (!answer.ok() || answer->status != 200) return server->Complain(answer);
  fmt::print("{}{}", answer->body, asked.json ? "\n" : "");
  return kExitDone;
}

}  // namespace

void SuggestOptions(CLI::App* app) {
  app->add_option("--metric", suggest_settings.metric, "a metric of the plan, or an expression: a number or a duration")->required();
  app->add_option("--goal", suggest_settings.goal, "an event, or a selector such as 'purchase{total > 50}'")->required();
  app->add_option("--horizon", suggest_settings.horizon,
                  "how long after the instant the goal counts (default: 7d, or a quarter of the history if that is shorter)");
  app->add_option("--at", suggest_settings.at, "when values are taken to choose a cut (default: half way through the history)");
  app->add_option("--validate-at", suggest_settings.validate_at, "when they are taken to check it, a horizon later at least (default: at three quarters)");
  app->add_option("--plan", suggest_settings.plan, "the plan (with --data: the one that served this folder last, unless given)");
  auto* events = app->add_option("--events", suggest_settings.events, "history files: NDJSON (also .gz, .zst, .xz), or CSV with --csv; read twice");
  app->add_option("--csv", suggest_settings.csv, "a mapping (YAML) that says how rows become events")->needs(events);
  auto* data = app->add_option("--data", suggest_settings.data, "the data folder of `attune serve`, in place of files; it may be in use")
                   ->excludes(events);
  app->add_option("--server", suggest_settings.server, "http://HOST:PORT of a running server, instead; its API key in ATTUNE_API_KEY")
      ->excludes(events)
      ->excludes(data);
  app->add_flag("--json", suggest_settings.json, "as JSON, as the API says it");
}

int RunSuggest() {
  if (!suggest_settings.server.empty()) return SuggestByServer();
  if (suggest_settings.events.empty() == suggest_settings.data.empty()) {
    return Complain("expected --events FILE, --data DIR or --server URL", kExitInvalid);
  }
  if (!suggest_settings.data.empty() && !FindPlanOfFolder(suggest_settings.data, &suggest_settings.plan)) return kExitInvalid;
  if (suggest_settings.plan.empty()) return Complain("expected --plan", kExitInvalid);
  const auto plan = LoadPlanOrComplain(suggest_settings.plan);
  if (!plan) return kExitInvalid;
  SuggestionQuestion asked = AskForSuggestion(plan, suggest_settings.metric, suggest_settings.goal, suggest_settings.horizon);
  for (const Problem& problem : asked.problems) fmt::print(stderr, "{}\n", ToText(problem));
  if (!asked.question) return kExitInvalid;
  if (!ReadInstant("--at", suggest_settings.at, &asked.question->at) || !ReadInstant("--validate-at", suggest_settings.validate_at, &asked.question->validate_at)) {
    return kExitInvalid;
  }
  if (!suggest_settings.data.empty()) {
    asked.question->now = WallClock();
    if (!std::filesystem::is_directory(suggest_settings.data + "/log")) return Complain(suggest_settings.data + " is no data folder", kExitInvalid);
    LogFolder log(suggest_settings.data + "/log");
    LogHistory history(&log, std::nullopt);
    return Suggest(*asked.question, &history);
  }
  for (const std::string& path : suggest_settings.events) {
    if (!std::filesystem::is_regular_file(path)) return Complain(path + ": expected a file that can be read twice", kExitInvalid);
  }
  std::unique_ptr<CsvMapping> mapping;
  if (!suggest_settings.csv.empty()) {
    LoadedMapping loaded = LoadCsvMapping(suggest_settings.csv);
    for (const Problem& problem : loaded.problems) fmt::print(stderr, "{}\n", ToText(problem));
    if (!loaded.mapping) return kExitInvalid;
    mapping = std::move(loaded.mapping);
  }
  FileHistory history(suggest_settings.events, *plan, mapping.get());
  const int code = Suggest(*asked.question, &history);
  if (code == kExitDone && history.refused() > 0) fmt::print(stderr, "{} events were refused; `attune replay` says why\n", history.refused());
  return code;
}

}  // namespace attune

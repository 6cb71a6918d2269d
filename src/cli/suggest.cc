// attune suggest: thresholds of a metric worth a segment, from history files or from the log of a data folder.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <filesystem>

#include "analysis/suggestion.h"
#include "cli/command.h"
#include "cli/plan_input.h"
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
  bool json = false;
} suggest_settings;

constexpr double kBarWidth = 30;

bool ReadInstant(const char* option, const std::string& text, std::optional<Millis>* instant) {
  if (text.empty()) return true;
  *instant = ParseInstant(text);
  if (*instant) return true;
  Complain(fmt::format("{}: expected a time such as 2026-03-01T10:00:00Z or epoch milliseconds, found \"{}\"", option, text), kExitInvalid);
  return false;
}

std::string Percent(double share) { return fmt::format("{:.3g} %", share * 100); }

// `31 % (28 to 34)`; a dash without a share.
std::string PercentWithin(std::optional<double> share, const Interval& interval) {
  return share ? fmt::format("{} ({:.3g} to {:.3g})", Percent(*share), interval.low * 100, interval.high * 100) : "-";
}

std::string Within(std::optional<double> figure, const std::optional<Interval>& interval) {
  if (!figure) return "-";
  return interval ? fmt::format("{:.2f} ({:.2f} to {:.2f})", *figure, interval->low, interval->high) : fmt::format("{:.2f}", *figure);
}

std::string ValueText(double value, bool durations) {
  if (durations && std::abs(value) < 9e15) return FormatDuration(static_cast<Millis>(std::llround(value)));
  return fmt::format("{:.6g}", value);
}

void PrintDistribution(const Distribution& d, bool durations) {
  if (d.with_value == 0) return;
  fmt::print("\n{} of {} users have a value. Quantiles:", d.with_value, d.users);
  for (size_t i = 0; i < d.quantiles.size(); ++i) fmt::print("  p{:.0f} {}", kShares[i] * 100, ValueText(d.quantiles[i], durations));
  fmt::print("\n\n  {:<24} {:>9}  {:<{}} {}\n", "value", "users", "", static_cast<int>(kBarWidth), "reached the goal");
  uint64_t most = 1;
  for (const Bin& bin : d.bins) most = std::max(most, bin.users);
  for (const Bin& bin : d.bins) {
    const std::string range = bin.from == bin.to ? ValueText(bin.from, durations) : ValueText(bin.from, durations) + " to " + ValueText(bin.to, durations);
    const auto bar = static_cast<size_t>(std::ceil(kBarWidth * static_cast<double>(bin.users) / static_cast<double>(most)));
    fmt::print("  {:<24} {:>9}  {:<{}} {}\n", range, bin.users, std::string(bar, '#'), static_cast<int>(kBarWidth),
               bin.users == 0 ? "-" : Percent(static_cast<double>(bin.reached) / static_cast<double>(bin.users)));
  }
}

std::vector<std::string> RowOf(const SuggestQuestion& question, const SuggestAnswer& answer, const TriedCut& tried) {
  const Confusion& c = tried.checked;
  const bool both = c.reached() > 0 && c.missed() > 0;
  return {CutText(question, answer, tried.cut),
          tried.share ? fmt::format("p{:.0f}", *tried.share * 100) : "best J",
          c.all() == 0 ? "-" : fmt::format("{} ({})", c.in(), Percent(static_cast<double>(c.in()) / static_cast<double>(c.all()))),
          PercentWithin(Precision(c), WilsonInterval(c.reached_in, c.in())),
          PercentWithin(Recall(c), WilsonInterval(c.reached_in, c.reached())),
          Within(Lift(c), LiftInterval(c)),
          both ? Within(YoudenJ(c), YoudenInterval(c)) : "-"};
}

void PrintCuts(const SuggestQuestion& question, const SuggestAnswer& answer) {
  std::vector<std::vector<std::string>> rows{{"cut", "", "users in", "precision", "recall", "lift", "J"}};
  if (answer.suggestion.best) rows.push_back(RowOf(question, answer, *answer.suggestion.best));
  for (const TriedCut& tried : answer.suggestion.quantiles) rows.push_back(RowOf(question, answer, tried));
  if (rows.size() == 1) return;
  fmt::print("\nCuts, chosen at the earlier instant, with their figures at the later one (95 % intervals):\n\n");
  std::vector<size_t> widths(rows[0].size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) line += fmt::format("  {:<{}}", row[i], widths[i]);
    fmt::print("{}\n", line.substr(0, line.find_last_not_of(' ') + 1));
  }
}

void Print(const SuggestQuestion& question, const SuggestAnswer& answer) {
  const Suggestion& s = answer.suggestion;
  const auto share = [](uint64_t part, uint64_t whole) { return whole == 0 ? "-" : Percent(static_cast<double>(part) / static_cast<double>(whole)); };
  fmt::print("{}, and who reaches {} within {}\n", ToText(*question.metric), question.goal, FormatDuration(answer.horizon));
  fmt::print("history   {} to {}\n", FormatRfc3339(answer.first), FormatRfc3339(answer.last));
  fmt::print("chosen at {}: {} users, {} ({}) reach the goal\n", FormatRfc3339(answer.at), s.distribution.users, s.distribution.reached,
             share(s.distribution.reached, s.distribution.users));
  fmt::print("checked at {}: {} users, {} ({}) reach the goal\n", FormatRfc3339(answer.validate_at), s.checked_users, s.checked_reached,
             share(s.checked_reached, s.checked_users));
  PrintDistribution(s.distribution, answer.durations);
  PrintCuts(question, answer);
  if (const std::string yaml = SegmentYaml(question, answer); !yaml.empty()) fmt::print("\nFor a plan:\n\n{}", yaml);
  for (const auto& [code, said] : DoubtsOf(answer)) fmt::print("\n{}: {}\n", code, said);
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
    Print(question, *answer);
  }
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
  app->add_option("--data", suggest_settings.data, "the data folder of `attune serve`, in place of files; it may be in use")->excludes(events);
  app->add_flag("--json", suggest_settings.json, "as JSON, as the API says it");
}

int RunSuggest() {
  if (suggest_settings.events.empty() == suggest_settings.data.empty()) return Complain("expected either --events or --data", kExitInvalid);
  if (!suggest_settings.data.empty() && !FindPlanOfFolder(suggest_settings.data, &suggest_settings.plan)) return kExitInvalid;
  if (suggest_settings.plan.empty()) return Complain("expected --plan", kExitInvalid);
  const auto plan = LoadPlanOrComplain(suggest_settings.plan);
  if (!plan) return kExitInvalid;
  AskedSuggestion asked = AskForSuggestion(plan, suggest_settings.metric, suggest_settings.goal, suggest_settings.horizon);
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

#include "analysis/suggestion_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace attune {
namespace {

constexpr double kBarWidth = 30;

std::string Percent(double share) { return fmt::format("{:.3g} %", share * 100); }

// A dash for a share of nothing.
std::string ShareText(uint64_t part, uint64_t whole) {
  return whole == 0 ? "-" : Percent(static_cast<double>(part) / static_cast<double>(whole));
}

// `31 % (28 to 34)`; a dash without a share.
std::string PercentWithin(std::optional<double> share, const Interval& interval) {
  return share ? fmt::format("{} ({:.3g} to {:.3g})", Percent(*share), interval.low * 100, interval.high * 100) : "-";
}

std::string Within(std::optional<double> figure, const std::optional<Interval>& interval) {
  if (!figure) return "-";
  if (!interval) return fmt::format("{:.2f}", *figure);
  return fmt::format("{:.2f} ({:.2f} to {:.2f})", *figure, interval->low, interval->high);
}

std::string ValueText(double value, bool durations) {
  if (durations && std::abs(value) < 9e15) return FormatDuration(static_cast<Millis>(std::llround(value)));
  return fmt::format("{:.6g}", value);
}

void AppendDistribution(const Distribution& d, bool durations, std::string* out) {
  if (d.with_value == 0) return;
  *out += fmt::format("\n{} of {} users have a value. Quantiles:", d.with_value, d.users);
  for (size_t i = 0; i < d.quantiles.size(); ++i) {
    *out += fmt::format("  p{:.0f} {}", kShares[i] * 100, ValueText(d.quantiles[i], durations));
  }
  *out += fmt::format("\n\n  {:<24} {:>9}  {:<{}} {}\n", "value", "users", "", static_cast<int>(kBarWidth),
                      "reached the goal");
  uint64_t most = 1;
  for (const Bin& bin : d.bins) most = std::max(most, bin.users);
  for (const Bin& bin : d.bins) {
    std::string range = ValueText(bin.from, durations);
    if (bin.from != bin.to) range += " to " + ValueText(bin.to, durations);
    const double length = kBarWidth * static_cast<double>(bin.users) / static_cast<double>(most);
    const std::string bar(static_cast<size_t>(std::ceil(length)), '#');
    *out += fmt::format("  {:<24} {:>9}  {:<{}} {}\n", range, bin.users, bar, static_cast<int>(kBarWidth),
                        ShareText(bin.reached, bin.users));
  }
}

std::vector<std::string> RowOf(const SuggestQuestion& question, const SuggestAnswer& answer, const TriedCut& tried) {
  const Confusion& c = tried.checked;
  const bool both = c.reached() > 0 && c.missed() > 0;
  return {CutText(question, answer, tried.cut),
          tried.share ? fmt::format("p{:.0f}", *tried.share * 100) : "best J",
          c.all() == 0 ? "-" : fmt::format("{} ({})", c.in(), ShareText(c.in(), c.all())),
          PercentWithin(Precision(c), WilsonInterval(c.reached_in, c.in())),
          PercentWithin(Recall(c), WilsonInterval(c.reached_in, c.reached())),
          Within(Lift(c), LiftInterval(c)),
          both ? Within(YoudenJ(c), YoudenInterval(c)) : "-"};
}

void AppendCuts(const SuggestQuestion& question, const SuggestAnswer& answer, std::string* out) {
  std::vector<std::vector<std::string>> rows{{"cut", "", "users in", "precision", "recall", "lift", "J"}};
  if (answer.suggestion.best) rows.push_back(RowOf(question, answer, *answer.suggestion.best));
  for (const TriedCut& tried : answer.suggestion.quantiles) rows.push_back(RowOf(question, answer, tried));
  if (rows.size() == 1) return;
  *out += fmt::format("\nCuts, chosen at the earlier instant, with their figures at the later one (95 % intervals):\n\n");
  std::vector<size_t> widths(rows[0].size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) line += fmt::format("  {:<{}}", row[i], widths[i]);
    *out += fmt::format("{}\n", line.substr(0, line.find_last_not_of(' ') + 1));
  }
}

}  // namespace

std::string SuggestionText(const SuggestQuestion& question, const SuggestAnswer& answer) {
  std::string out;
  const Suggestion& s = answer.suggestion;
  out += fmt::format("{}, and who reaches {} within {}\n", ToText(*question.metric), question.goal,
                     FormatDuration(answer.horizon));
  out += fmt::format("history   {} to {}\n", FormatRfc3339(answer.first), FormatRfc3339(answer.last));
  out += fmt::format("chosen at {}: {} users, {} ({}) reach the goal\n", FormatRfc3339(answer.at),
                     s.distribution.users, s.distribution.reached,
                     ShareText(s.distribution.reached, s.distribution.users));
  out += fmt::format("checked at {}: {} users, {} ({}) reach the goal\n", FormatRfc3339(answer.validate_at),
                     s.checked_users, s.checked_reached, ShareText(s.checked_reached, s.checked_users));
  AppendDistribution(s.distribution, answer.durations, &out);
  AppendCuts(question, answer, &out);
  const std::string yaml = SegmentYaml(question, answer);
  if (!yaml.empty()) out += "\nFor a plan:\n\n" + yaml;
  for (const auto& [code, said] : DoubtsOf(answer)) out += fmt::format("\n{}: {}\n", code, said);
  return out;
}

}  // namespace attune

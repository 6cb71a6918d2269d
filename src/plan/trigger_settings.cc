#include "plan/trigger_settings.h"

#include <charconv>
#include <string>
#include <vector>

#include "language/token.h"

namespace attune {
namespace {

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// The whole text as a number without a sign.
template <typename T>
std::optional<T> Whole(std::string_view text) {
  T value{};
  if (text.empty() || text.front() == '-') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// `22:00` or `8:00`, in minutes after midnight.
std::optional<int> ParseTimeOfDay(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon > 2 || text.size() != colon + 3) return std::nullopt;
  const auto hour = Whole<int>(text.substr(0, colon));
  const auto minute = Whole<int>(text.substr(colon + 1));
  if (!hour || !minute || *minute > 59 || *hour * 60 + *minute > 24 * 60) return std::nullopt;
  return *hour * 60 + *minute;
}

}  // namespace

std::optional<Cap> ParseCap(std::string_view text) {
  const std::vector<Token> tokens = Tokenise(text);
  if (tokens.size() != 4 || tokens[0].kind != Token::Kind::kNumber || tokens[1].text != "per" ||
      tokens[2].kind != Token::Kind::kDuration) {
    return std::nullopt;
  }
  const double count = tokens[0].number;
  if (count < 1 || count > kMaxCap || count != static_cast<int>(count) || tokens[2].millis < 1) return std::nullopt;
  return Cap{static_cast<int>(count), tokens[2].millis};
}

std::optional<QuietHours> ParseQuietHours(std::string_view text) {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto from = ParseTimeOfDay(Trimmed(text.substr(0, dash)));
  const auto to = ParseTimeOfDay(Trimmed(text.substr(dash + 1)));
  if (!from || !to || *from % (24 * 60) == *to % (24 * 60) || *from == 24 * 60) return std::nullopt;
  return QuietHours{*from, *to};
}

std::optional<double> ParseShare(std::string_view text) {
  text = Trimmed(text);
  const bool percent = !text.empty() && text.back() == '%';
  if (percent) text.remove_suffix(1);
  auto share = Whole<double>(Trimmed(text));
  if (share && percent) *share /= 100;
  if (!share || !(*share >= 0 && *share <= 1)) return std::nullopt;
  return share;
}

}  // namespace attune

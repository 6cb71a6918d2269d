#include "history/time_pattern.h"

#include <array>
#include <chrono>

namespace attune {
namespace {

struct Parts {
  int year = 1970, month = 1, day = 1;
  int hour = 0, minute = 0, second = 0;
  Millis millis = 0;
  Millis offset = 0;
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

class PatternReader {
 public:
  explicit PatternReader(std::string_view text) : text_(text) {}

  bool Read(std::string_view pattern) {
    for (size_t i = 0; i < pattern.size(); ++i) {
      if (pattern[i] == ' ') {
        SkipBlanks();
      } else if (pattern[i] != '%') {
        if (!Literal(pattern[i])) return false;
      } else if (++i == pattern.size() || !Part(pattern[i])) {
        return false;
      }
    }
    return at_ == text_.size();
  }

  const Parts& parts() const { return parts_; }

 private:
  bool Part(char letter) {
    switch (letter) {
      case 'Y': return Number(4, 1, 9999, &parts_.year);
      case 'y': return ShortYear();
      case 'm': return Number(2, 1, 12, &parts_.month);
      case 'd': return Number(2, 1, 31, &parts_.day);
      case 'e': SkipBlanks(); return Number(2, 1, 31, &parts_.day);
      case 'H': return Number(2, 0, 23, &parts_.hour);
      case 'M': return Number(2, 0, 59, &parts_.minute);
      case 'S': return Number(2, 0, 60, &parts_.second);
      case 'f': return Fraction();
      case 'b': return MonthName();
      case 'z': return Offset();
      case 'Z': return Zone();
      case '%': return Literal('%');
      default: return false;
    }
  }

  void SkipBlanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool Literal(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  // One to `width` digits.
  bool Number(size_t width, int min, int max, int* value) {
    const size_t begin = at_;
    int result = 0;
    for (; at_ < text_.size() && at_ - begin < width && IsDigit(text_[at_]); ++at_) {
      result = result * 10 + (text_[at_] - '0');
    }
    *value = result;
    return at_ > begin && result >= min && result <= max;
  }
  // As in POSIX: 69 to 99 are in the last century.
  bool ShortYear() {
    if (!Number(2, 0, 99, &parts_.year)) return false;
    parts_.year += parts_.year < 69 ? 2000 : 1900;
    return true;
  }
  bool Fraction() {
    Millis scale = 100;
    const size_t begin = at_;
    for (; at_ < text_.size() && IsDigit(text_[at_]); ++at_, scale /= 10) parts_.millis += (text_[at_] - '0') * scale;
    return at_ > begin;
  }
  bool MonthName() {
    constexpr std::string_view kNames = "janfebmaraprmayjunjulaugsepoctnovdec";
    if (at_ + 3 > text_.size()) return false;
    std::string name(text_.substr(at_, 3));
    for (char& c : name) c = static_cast<char>(c | 0x20);
    const size_t found = kNames.find(name);
    if (found == std::string_view::npos || found % 3 != 0) return false;
    parts_.month = static_cast<int>(found / 3) + 1;
    at_ += 3;
    return true;
  }
  bool Offset() {
    if (Literal('Z')) return true;
    const bool minus = Literal('-');
    int hours, minutes;
    if ((!minus && !Literal('+')) || !Number(2, 0, 23, &hours)) return false;
    Literal(':');
    if (!Number(2, 0, 59, &minutes)) return false;
    parts_.offset = (hours * kHour + minutes * kMinute) * (minus ? -1 : 1);
    return true;
  }
  bool Zone() {
    for (const std::string_view name : {"UTC", "GMT"}) {
      if (text_.substr(at_, 3) != name) continue;
      at_ += 3;
      return true;
    }
    return false;
  }

  std::string_view text_;
  size_t at_ = 0;
  Parts parts_;
};

}  // namespace

std::optional<Millis> ParseTimePattern(std::string_view text, std::string_view pattern) {
  PatternReader reader(text);
  if (!reader.Read(pattern)) return std::nullopt;
  const Parts& parts = reader.parts();
  const std::chrono::year_month_day date(std::chrono::year(parts.year),
                                         std::chrono::month(static_cast<unsigned>(parts.month)),
                                         std::chrono::day(static_cast<unsigned>(parts.day)));
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count() * kDay + parts.hour * kHour + parts.minute * kMinute +
         parts.second * kSecond + parts.millis - parts.offset;
}

std::string CheckTimePattern(std::string_view pattern) {
  std::string seen;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%') continue;
    const char letter = ++i < pattern.size() ? pattern[i] : '\0';
    if (letter == '\0' || std::string_view("YymdeHMSfbzZ%").find(letter) == std::string_view::npos) {
      return "expected one of %Y %y %m %d %e %H %M %S %f %b %z %Z %% after the percent sign";
    }
    if (letter != '%' && seen.find(letter) != std::string::npos) {
      return std::string("%") + letter + " occurs here twice";
    }
    seen += letter;
  }
  return seen.find_first_of("Yy") == std::string::npos ? "expected a pattern with a year, such as %Y-%m-%d" : "";
}

}  // namespace attune

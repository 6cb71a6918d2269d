// The server's own messages, one per line on stderr, for operators and their log collectors. Not the log, which holds
// events.
//
// A line is one JSON object in ASCII, `{"time","level","event","message",…}`, or text for people. Text from clients
// cannot start or forge a line: every control character and every non-ASCII character is escaped. Callers must not pass
// keys, addresses or user ids.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "base/time.h"

namespace attune {

enum class JournalFormat { kOff, kText, kJson };

struct JournalField {
  std::string_view name;
  std::variant<std::string_view, int64_t, double, bool> value;
};

// Thread-safe. A line is written by one call, so lines of several threads never mix. Blocks while stderr does.
class Journal {
 public:
  enum class Level { kInfo, kWarning, kError };
  using Fields = std::initializer_list<JournalField>;

  // The journal of this process. Off until Begin.
  static Journal& OfProcess();

  void Begin(JournalFormat format) { format_ = format; }
  JournalFormat format() const { return format_; }

  // `event`: a stable word for programs. `message`: for people.
  void Info(std::string_view event, std::string_view message, Fields fields = {}) { Write(Level::kInfo, event, message, fields); }
  void Warn(std::string_view event, std::string_view message, Fields fields = {}) { Write(Level::kWarning, event, message, fields); }
  void Fail(std::string_view event, std::string_view message, Fields fields = {}) { Write(Level::kError, event, message, fields); }

  // The line in either format, newline included. `now`: the wall clock.
  static std::string Line(JournalFormat format, Millis now, Level level, std::string_view event, std::string_view message, Fields fields);

 private:
  void Write(Level level, std::string_view event, std::string_view message, Fields fields);

  std::atomic<JournalFormat> format_{JournalFormat::kOff};
};

// Allows at most `a_second` lines a second and counts the suppressed ones. Thread-safe.
class JournalThrottle {
 public:
  explicit JournalThrottle(int64_t a_second) : a_second_(a_second) {}
  // Whether one more line may be written at this instant. If so, `held_back` is the number suppressed since the last
  // one.
  bool Allows(Millis now, int64_t* held_back);

 private:
  const int64_t a_second_;
  std::atomic<int64_t> second_{0};
  std::atomic<int64_t> written_{0};
  std::atomic<int64_t> held_back_{0};
};

}  // namespace attune

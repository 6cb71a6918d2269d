// What happens in the server's life, line by line on stderr: for operators and their collectors. Not the log, which holds
// events.
//
// A line is one JSON object in ASCII, `{"time","level","event","message",…}`, or text for people. What clients sent cannot
// begin a line or forge one: every control character, and everything beyond ASCII, is escaped. Callers pass no keys, no
// addresses and no ids of users.
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

// Threads: any. A line is written by one call, so lines of several threads never mix. It blocks while stderr does.
class Journal {
 public:
  enum class Level { kInfo, kWarning, kError };
  using Fields = std::initializer_list<JournalField>;

  // The one of this process. Off until Begin.
  static Journal& OfProcess();

  void Begin(JournalFormat format) { format_ = format; }
  JournalFormat format() const { return format_; }

  // `event`: a stable word for programs. `message`: for people.
  void Info(std::string_view event, std::string_view message, Fields fields = {}) { Write(Level::kInfo, event, message, fields); }
  void Warn(std::string_view event, std::string_view message, Fields fields = {}) { Write(Level::kWarning, event, message, fields); }
  void Fail(std::string_view event, std::string_view message, Fields fields = {}) { Write(Level::kError, event, message, fields); }

  // As the two formats write it, newline included. `now`: the wall clock.
  static std::string Line(JournalFormat format, Millis now, Level level, std::string_view event, std::string_view message, Fields fields);

 private:
  void Write(Level level, std::string_view event, std::string_view message, Fields fields);

  std::atomic<JournalFormat> format_{JournalFormat::kOff};
};

// At most so many a second; counts what it holds back. Any thread.
class JournalThrottle {
 public:
  explicit JournalThrottle(int64_t a_second) : a_second_(a_second) {}
  // Whether one more may be written at this instant. If so, `held_back` is how many were not since the last.
  bool Allows(Millis now, int64_t* held_back);

 private:
  const int64_t a_second_;
  std::atomic<int64_t> second_{0};
  std::atomic<int64_t> written_{0};
  std::atomic<int64_t> held_back_{0};
};

}  // namespace attune

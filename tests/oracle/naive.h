// The meaning of the language, computed by re-reading a user's whole history at every question: no
// caching and no cleverness, so that what the engine answers can be held against it. Written from
// docs/language.md alone; it shares the parser with the engine and nothing else.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "oracle/local_time.h"
#include "oracle/record.h"
#include "plan/plan.h"

namespace attune::oracle {

// An accepted record, opened for reading.
class Entry {
 public:
  explicit Entry(Record record);

  const Record& record() const { return record_; }
  Millis time() const { return record_.time; }
  // Null when missing, JSON null or an object. Lives as long as the entry.
  Value Find(const std::string& root, const std::vector<std::string>& keys) const;
  // Null too when the record says null of the trait; absent when it does not mention it.
  const std::map<std::string, Value>& traits() const { return traits_; }

 private:
  Record record_;
  mutable EventReader reader_;
  // EventReader keeps what it found until it opens the next event; asking it once for each path
  // keeps that from growing.
  mutable std::map<std::vector<std::string>, Value> found_;
  std::map<std::string, Value> traits_;  // by dotted name
};

using Entries = std::vector<const Entry*>;

// What is known of one user: her accepted records, each list by (time, position in the log).
class History {
 public:
  // `plan` must outlive the history.
  History(const Plan& plan, std::string user);

  void Add(const Record& record);

  const Plan& plan() const { return plan_; }
  const LocalTime& local_time() const { return local_time_; }
  const std::string& user() const { return user_; }
  const Entries& events() const { return events_; }
  const Entries& identifies() const { return identifies_; }
  bool empty() const { return all_.empty(); }
  Millis latest() const { return latest_; }  // the latest time of any record; requires one

  // Keeps the items of a list for as long as nobody calls ForgetLists.
  Value KeepList(std::vector<Value> items) const;
  void ForgetLists() const { lists_.clear(); }

 private:
  const Plan& plan_;
  LocalTime local_time_;
  std::string user_;
  std::vector<std::unique_ptr<Entry>> all_;
  Entries events_;
  Entries identifies_;
  Millis latest_ = kAlways;
  mutable std::deque<std::vector<Value>> lists_;
};

// The value of `expression` at `t`. Strings in it live as long as history and expression, lists
// until ForgetLists.
Value Evaluate(const Expression& expression, const History& history, Millis t);

// The parts of Evaluate that bounds.cc asks about a stretch of time too.

// One session: its events in order, never empty.
using Session = Entries;
std::vector<Session> SessionsAt(const History& history, Millis t);
bool IsOpen(const Session& session, const Plan& plan, Millis t);

// Whether the event is one that the selector names; its window is not asked.
bool Selects(const Selector& selector, const Entry& entry, const History& history);

// The events that the window shows at `t`, of any name.
Entries EventsIn(const Window& window, const History& history, Millis t);

// `+ - * /`, min, max and the comparisons, of two values.
Value Arithmetic(Expression::Kind kind, const Value& a, const Value& b);
bool Compare(Expression::Kind kind, const Value& a, const Value& b);

// The sum of the numbers as if added without rounding, then rounded once.
double ExactSum(const std::vector<double>& numbers);

}  // namespace attune::oracle

// The records of one user, and functions that search them from the beginning each time.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "oracle/local_time.h"
#include "oracle/record.h"
#include "plan/plan.h"

namespace attune::oracle {

// An accepted record, parsed.
class Entry {
 public:
  Entry(Record record, size_t position);

  const Record& record() const { return record_; }
  size_t position() const { return position_; }
  Millis time() const { return record_.time; }
  // Null if missing, JSON null or an object. Valid as long as the entry.
  Value Find(const std::string& root, const std::vector<std::string>& keys) const;
  // Null if the record sets the trait to null; absent if the record does not mention it.
  const std::map<std::string, Value>& traits() const { return traits_; }

 private:
  Record record_;
  size_t position_;
  mutable EventReader reader_;
  // EventReader keeps every result until it opens the next event. Reading each path once bounds that memory.
  mutable std::map<std::vector<std::string>, Value> found_;
  std::map<std::string, Value> traits_;  // by dotted name
};

using Entries = std::vector<const Entry*>;

// The accepted records of one user, each list ordered by (time, position in the log).
class History {
 public:
  // `plan` must outlive the history. With `every_millisecond`, every instant is tested; otherwise those that BoundsOver
  // excludes are skipped.
  History(const Plan& plan, std::string user, bool every_millisecond = false);

  // `position` is the record's position in the log; without one, after all others.
  void Add(const Record& record, size_t position);
  void Add(const Record& record);
  // Adds all records of the other history.
  void AddAll(const History& other);

  const Plan& plan() const { return *plan_; }
  const LocalTime& local_time() const { return local_time_; }
  const std::string& user() const { return user_; }
  const Entries& records() const { return records_; }
  const Entries& events() const { return events_; }
  const Entries& identifies() const { return identifies_; }
  bool empty() const { return records_.empty(); }
  bool HasRecordIn(Millis after, Millis until) const;  // (after, until]

  // The same user, with only the events that carry this value of a property visible to selectors. `this` must outlive
  // it.
  History Restricted(const PropertyPath& path, const Value& value) const;
  // The history that this one restricts, or itself.
  const History& whole() const { return whole_ ? *whole_ : *this; }
  bool IsSelectable(const Entry& entry) const;

  // Every instant up to `until` at which the segment's `when` becomes true or false, from the user's first record on,
  // in the unrestricted history. Two records of one instant count together.
  struct Change {
    Millis at;
    bool enter;
  };
  std::vector<Change> ChangesOf(const Segment& segment, Millis until) const;

  // Calls fn with the beginning of every piece of [from, to] over which the expression is decided.
  void Search(const Expression& expression, Millis from, Millis to,
              const std::function<void(Millis)>& fn) const;
  // The search was given up because an expression flickers over a long stretch.
  bool gave_up() const { return notes_->pieces > kMaxPieces; }

  // Keeps the items of a list until ForgetLists is called.
  Value KeepList(std::vector<Value> items) const;
  void ForgetLists() const { notes_->lists.clear(); }

 private:
  // The number of pieces of a user's time after which a search is given up.
  static constexpr int64_t kMaxPieces = 400'000;

  // The changes of a segment that were found, up to an instant.
  struct Found {
    std::vector<Change> changes;
    Millis until = kAlways;
  };

  // State that is not part of the history; restrictions share it.
  struct Notes {
    std::map<std::string, Found> found;  // by segment
    int64_t pieces = 0;
    std::deque<std::vector<Value>> lists;
  };

  void Insert(const std::shared_ptr<const Entry>& entry);

  const Plan* plan_;
  LocalTime local_time_;
  std::string user_;
  bool every_millisecond_;
  std::vector<std::shared_ptr<const Entry>> owned_;
  Entries records_;
  Entries events_;
  Entries identifies_;
  const History* whole_ = nullptr;
  PropertyPath key_;  // of a restriction
  Value key_value_;
  std::shared_ptr<Notes> notes_ = std::make_shared<Notes>();
};

}  // namespace attune::oracle

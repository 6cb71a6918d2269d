// Runs a history through the engine at full speed: for replay, and for the tests that compare the engine with the
// oracle.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_map.h"
#include "engine/engine.h"
#include "engine/record.h"
#include "identity/identity.h"

namespace attune {

// Only a user's own records move that user's clock, so the order of different users in a file does not matter. One
// thread. Users may be distributed over several runs, as long as ids that may come to lead to one person are in one
// run.
class HistoryRun {
 public:
  struct Sink {
    std::function<void(const Transition&)> transition;
    std::function<void(const TriggerFiring&)> firing;
    // The user when its clock passed `at`. The engine may be queried for values at that instant.
    std::function<void(Millis at, const UserState& user)> values;
  };

  // `at`: the instants at which every user's values are reported, in any order. `may_merge` returns whether some record
  // may merge the id with another; without it any id may be merged.
  HistoryRun(std::shared_ptr<const Program> program, std::vector<Millis> at, Sink sink,
             std::function<bool(std::string_view id)> may_merge = nullptr);

  // Applies the bytes of an event (EncodeEvent). Events of ids that may be merged stay in memory until the end.
  Applied Apply(std::string_view bytes);
  // Applies a parsed event. `bytes` is required for every event of an id that may be merged with another, and otherwise
  // empty.
  Applied Apply(Record record, std::string_view bytes);
  // See Engine::Expect.
  void Expect(std::string_view id) { engine_.Expect(identity_.PersonOf(id)); }
  // Advances every user's clock to `until`, that instant included, and reports the instants requested after it.
  void Finish(Millis until);

  Engine& engine() { return engine_; }
  size_t user_count() const { return engine_.user_count(); }
  // Which ids currently lead to one person.
  const Identity& identity() const { return identity_; }
  // Undoes the merge of the id permanently: the id has its own history again. `at`: the instant of the un-merge.
  void UndoMerge(std::string_view id, Millis at);
  // The bytes of the events of the person to whom an id leads, ordered by time; only of ids that may be merged.
  std::vector<std::string_view> HistoryOf(std::string_view id) const;

 private:
  // An event of a history that may be merged.
  struct Kept {
    Millis time;
    uint64_t position;  // among all events applied
    std::string bytes;
  };

  Applied MergeAt(UserState* other, const Record& record, std::string_view bytes, std::vector<Kept> others);
  static void Insert(Kept kept, std::vector<Kept>* history);
  Engine::Draft DraftOf(std::string_view user, const std::vector<Kept>& history, bool ids, RecordReader* reader);
  void PassInstants(UserState* user, Millis before);
  void Emit();

  RecordReader reader_;
  Engine engine_;
  Identity identity_;
  std::function<bool(std::string_view)> may_merge_;
  TextMap<std::vector<Kept>> kept_;  // by person
  uint64_t position_ = 0;
  std::vector<Millis> at_;
  std::vector<uint32_t> next_at_;  // by the user's slot: the first of at_ that the user's clock has not passed
  Sink sink_;
  Effects effects_;
};

}  // namespace attune

// A history run through the engine as fast as it goes: replay, and the tests that hold the engine to the oracle.
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

// Each user's clock is moved by her own records alone, so that the order of different users in a file never matters.
// One thread; users may be spread over several runs, so long as ids that may come to lead to one person are in one.
class HistoryRun {
 public:
  struct Sink {
    std::function<void(const Transition&)> transition;
    std::function<void(const TriggerFiring&)> firing;
    // The user as she was known when her clock passed `at`; the engine may be asked for values at that instant.
    std::function<void(Millis at, const UserState& user)> values;
  };

  // `at`: instants to show everyone at, in any order. `may_merge` says of an id whether some record may merge it with
  // another; without it any may.
  HistoryRun(std::shared_ptr<const Program> program, std::vector<Millis> at, Sink sink,
             std::function<bool(std::string_view id)> may_merge = nullptr);

  // The bytes of an event (EncodeEvent). Those of ids that may be merged are kept in memory until the end.
  Applied Apply(std::string_view bytes);
  // An event that is read already. Its bytes are wanted of users whom some record may merge with another, of them all.
  Applied Apply(Record record, std::string_view bytes);
  // See Engine::Expect.
  void Expect(std::string_view id) { engine_.Expect(identity_.PersonOf(id)); }
  // Lets every user's clock run to `until`, that instant included, and shows what was asked for beyond it.
  void Finish(Millis until);

  Engine& engine() { return engine_; }
  size_t user_count() const { return engine_.user_count(); }
  // Which ids lead to one person by now.
  const Identity& identity() const { return identity_; }
  // The history that the id brought to another's is its own again, and stays so; `at`: when that was said.
  void UndoMerge(std::string_view id, Millis at);
  // Of the person to whom an id leads: the bytes of her events, in the order of time; of ids that may be merged.
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
  std::vector<uint32_t> next_at_;  // by the user's slot: the first of at_ that her clock has not passed
  Sink sink_;
  Effects effects_;
};

}  // namespace attune

// What the engine is given: one event of one user, with the properties that the program reads.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/fact.h"
#include "engine/program.h"
#include "event/event.h"

namespace attune {

struct Record {
  EventKind kind = EventKind::kTrack;
  std::string_view user;
  std::string_view anonymous_id;          // of an alias: the previous id; may be empty
  bool names_user = false;                // by a userId, so that she is known; an alias makes nobody known
  uint64_t id = 0;                        // hash of the message id
  uint64_t sequence = 0;                  // in the log; 0 when it comes from elsewhere
  std::string_view event;                 // its name, of a track
  NameId name = kOtherName;               // the same for the program
  Millis time = 0;
  std::span<const Value> fields;          // by the program's numbers; those that no selector of `name` reads are stale
  std::span<const Fact> facts;            // what it says of the user, each name of a kind at most once; times are its own
};

// Reads records from the bytes that the log keeps. One thread; the record lives until the next Read.
class RecordReader {
 public:
  explicit RecordReader(std::shared_ptr<const Program> program) : program_(std::move(program)), fields_(program_->fields.size()) {}

  // kCorrupt when the bytes are no event.
  Result<Record> Read(std::string_view bytes);

 private:
  Value ReadField(const PropertyPath& path);
  void ReadTraits(Millis time);
  void ReadConsents(Millis time);

  std::shared_ptr<const Program> program_;
  EventReader reader_;
  std::vector<Value> fields_;
  std::vector<Fact> facts_;
};

}  // namespace attune

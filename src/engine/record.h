// The engine's input: one event of one user, with the properties that the program reads.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "engine/program/program.h"
#include "engine/series/fact.h"
#include "event/event.h"

namespace attune {

struct Record {
  EventKind kind = EventKind::kTrack;
  std::string_view user;
  std::string_view anonymous_id;          // of an alias: the previous id; may be empty
  bool names_user = false;                // by a userId, which makes the user known; false for an alias
  uint64_t id = 0;                        // hash of the message id
  uint64_t sequence = 0;                  // in the log; 0 if it is not from the log
  std::string_view event;                 // its name, of a track
  NameId name = kOtherName;               // the same for the program
  Millis time = 0;
  std::span<const Value> fields;          // by the program's numbers; those that no selector of `name` reads are stale
  std::span<const Fact> facts;            // about the user, each name of a kind at most once; the record's time
};

// Reads records from bytes of the log, or from events that are already parsed. One thread. A record is valid until the
// next Read, and as long as its source.
class RecordReader {
 public:
  explicit RecordReader(std::shared_ptr<const Program> program) : program_(std::move(program)), fields_(program_->fields.size()) {}

  // kCorrupt if the bytes are no event.
  Result<Record> Read(std::string_view bytes);
  // For an event that is already decoded.
  Result<Record> Read(const EncodedEvent& event);
  // For an event whose JSON `event` has already parsed.
  Record Read(const EventHead& head, std::string_view json, EventReader* event);

 private:
  Record ReadHead(const EventHead& head);
  void ReadBody(const EventHead& head, bool consents, EventReader* event, Record* record);
  Value ReadField(const PropertyPath& path, EventReader* event);
  void ReadTraits(Millis time, EventReader* event);
  void ReadConsents(Millis time, EventReader* event);

  std::shared_ptr<const Program> program_;
  EventReader reader_;
  std::vector<Value> fields_;
  std::vector<Fact> facts_;
};

// Appends a record as bytes, to pass it from the thread that reads it to the thread that applies it. The user's id
// comes first.
void PackRecord(const Record& record, const Program& program, ByteWriter* out);

// Reads such bytes. One thread. A record is valid until the next Unpack and as long as the bytes.
class RecordUnpacker {
 public:
  explicit RecordUnpacker(std::shared_ptr<const Program> program) : program_(std::move(program)), fields_(program_->fields.size()) {}

  // Requires that PackRecord wrote the next bytes, under the same program.
  Record Unpack(ByteReader* in);

 private:
  Value UnpackValue(ByteReader* in);

  std::shared_ptr<const Program> program_;
  std::vector<Value> fields_;
  std::deque<std::vector<Value>> lists_;
  std::vector<Fact> facts_;
};

}  // namespace attune

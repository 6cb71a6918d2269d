// Where dead letters and their replays are kept: in the store, by their numbers in the log, as the
// runtime hands them over.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "simulator/chronicle.h"
#include "simulator/log_contents.h"
#include "simulator/machine.h"

namespace attune::simulate {

class LetterBox {
 public:
  LetterBox(Machine* machine, Chronicle* chronicle) : machine_(*machine), chronicle_(*chronicle) {}

  // For the next process; it may call it while it starts.
  Machine::KeepLetter Open();
  // The process has started: each letter of the log is in the store, or came while it started; those
  // that a snapshot includes are in the store. Puts what came there.
  bool TakeStock(const LogContents& log);
  // All that the log has is kept, and nothing else.
  bool HasAll(const LogContents& log);

 private:
  bool Keep(const RecordView& record);
  bool Write(uint64_t sequence, const std::string& letter);
  std::map<uint64_t, std::string> Kept();

  Machine& machine_;
  Chronicle& chronicle_;
  uint64_t process_ = 0;
  bool started_ = false;
  std::map<uint64_t, std::string> early_;  // came while the process started
  std::set<uint64_t> came_;                // in this process
  std::map<uint8_t, uint64_t> latest_;     // by shard
};

}  // namespace attune::simulate

// Who asks: what is known of a user, and what the log holds of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "oracle/random.h"
#include "oracle/timeline.h"
#include "simulator/chronicle.h"
#include "simulator/log_contents.h"
#include "simulator/machine.h"

namespace attune::simulate {

// What was known of a user at a place of the log.
struct Answer {
  uint64_t plan = 0;      // by whose definitions
  uint64_t position = 0;  // every record up to this one had been applied
  std::string person;
  Millis at = 0;
  std::optional<oracle::UserValues> values;  // nullopt: nobody is known by that name
};

class Questions {
 public:
  // `may_fail`: the disk may keep the log's answers back.
  Questions(bool may_fail, Machine* machine, Chronicle* chronicle)
      : may_fail_(may_fail), machine_(*machine), chronicle_(*chronicle) {}

  // About the person to whom an id leads.
  void AskValues(const std::string& id);
  // What records are theirs, and to read them.
  void AskHistory(const std::string& id);

  // There is nobody left to answer.
  void OnProcessGone();
  uint64_t waiting() const { return waiting_; }
  uint64_t answered() const { return answered_; }
  const std::vector<Answer>& answers() const { return answers_; }

  // What was read back from the log is what it holds.
  bool CheckHistories(const LogContents& log);

 private:
  struct ReadBack {
    uint64_t sequence = 0;
    std::string payload;
  };

  void ReadHistory(IndexedUser user, uint64_t process);
  void Done();

  const bool may_fail_;
  Machine& machine_;
  Chronicle& chronicle_;
  uint64_t process_ = 0;
  uint64_t waiting_ = 0;
  uint64_t answered_ = 0;
  std::vector<Answer> answers_;
  std::vector<ReadBack> read_back_;
};

// What is known of everyone now, as the oracle writes it, sorted.
std::vector<std::string> EveryonesValues(Machine* machine, Chronicle* chronicle);

}  // namespace attune::simulate

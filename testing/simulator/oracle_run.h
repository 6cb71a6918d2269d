// What the oracle makes of a log under one plan, record by record.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "oracle/record.h"
#include "oracle/timeline.h"
#include "simulator/log_contents.h"
#include "simulator/questions.h"

namespace attune::simulate {

class OracleRun {
 public:
  // Who is there before a record.
  struct People {
    std::map<std::string, std::set<std::string>> segments;
    std::map<std::string, Millis> clocks;
  };
  struct Task {
    const Plan* plan = nullptr;
    const LogContents* log = nullptr;
    std::function<const oracle::Record&(const LogRecord&)> record_of;
    Millis until = 0;
    std::set<uint64_t> look_before;      // records before which People are wanted
    std::vector<const Answer*> answers;  // that are to be given again
  };

  explicit OracleRun(const Task& task);

  // The oracle gave the plan up: nothing else here is to be looked at.
  bool gave_up() const { return gave_up_; }
  // What a record brought about, lines sorted. Behind the last record: what was due and came of none.
  const std::vector<std::string>& EffectsOf(uint64_t sequence) const { return effects_[sequence]; }
  const People& Before(uint64_t sequence) const { return before_.at(sequence); }
  // Of everybody in the end, sorted.
  const std::vector<std::string>& values() const { return values_; }
  const std::optional<oracle::UserValues>& ValuesFor(const Answer* answer) const { return answers_.at(answer); }

 private:
  // Records and interludes, in the order of the log.
  void Prepare();
  // The next of them has been taken in.
  void After(const oracle::Moment& moment);
  void Look(const oracle::Moment& moment, uint64_t after, uint64_t before);
  void Finish(const oracle::RunResult& result);

  const Task& task_;
  std::vector<oracle::Record> records_;
  std::vector<oracle::Interlude> interludes_;
  std::vector<uint64_t> taken_in_;  // the numbers of the records that the oracle takes in
  size_t next_ = 0;                 // of these
  size_t transitions_ = 0, firings_ = 0;  // told up to there
  People people_;
  std::vector<std::string> ids_;

  bool gave_up_ = false;
  std::vector<std::vector<std::string>> effects_;
  std::map<uint64_t, People> before_;
  std::map<const Answer*, std::optional<oracle::UserValues>> answers_;
  std::vector<std::string> values_;
};

}  // namespace attune::simulate

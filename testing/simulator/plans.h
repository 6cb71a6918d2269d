// The plans of a life, and which of them was in force when.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/program/program.h"
#include "oracle/generator.h"
#include "simulator/log_contents.h"

namespace attune::simulate {

// Loads and compiles each plan once.
class Plans {
 public:
  void Add(std::string text);

  size_t size() const { return plans_.size(); }
  const std::string& text(size_t i) const { return plans_[i].text; }
  const std::shared_ptr<const Plan>& plan(size_t i) const { return plans_[i].plan; }
  const std::shared_ptr<const Program>& program(size_t i) const { return plans_[i].program; }
  size_t IndexOf(uint64_t fingerprint) const;

 private:
  struct Loaded {
    std::string text;
    std::shared_ptr<const Plan> plan;
    std::shared_ptr<const Program> program;
  };
  std::vector<Loaded> plans_;
};

// Which records each process may have applied, and under which plan. A process that reads records
// of the log again may tell of them under another plan than the one before it, as far as that one
// had not stored what it told.
class PlansInForce {
 public:
  explicit PlansInForce(const Plans* plans) : plans_(*plans) {}

  // A process started with a plan; it read the records (`from`, `last`] again.
  void Start(size_t plan, uint64_t from, uint64_t last);
  // Another plan took the place of the present one. `latest`: the latest record that some state under
  // it includes.
  void Enter(size_t plan, uint64_t latest);
  // The process has ended; the log then had so many records.
  void End(uint64_t last);

  size_t present() const { return present_; }
  // Whether any plan but the first was ever in force.
  bool several() const;

  // --- when all is over ---

  // Finds the records of the log at which plans took each other's place.
  void Settle(const LogContents& log);

  struct Change {
    uint64_t sequence = 0;
    size_t before = 0, after = 0;
    bool read_again = false;  // by a later process, for which it was no change
  };
  const std::vector<Change>& changes() const { return changes_; }
  // The plans under which what a record brought about may have been told.
  std::set<size_t> Of(uint64_t sequence) const;

 private:
  struct Entered {
    size_t plan = 0;
    uint64_t latest = 0;
    uint64_t sequence = 0;  // found by Settle
  };
  struct Process {
    size_t plan = 0;  // with which it started
    uint64_t from = 0, last = 0;
    uint64_t end = 0;
    std::vector<Entered> entered;
    size_t PlanAt(uint64_t sequence) const;
  };

  const Plans& plans_;
  size_t present_ = 0;
  std::vector<Process> processes_;
  std::vector<Change> changes_;
};

}  // namespace attune::simulate

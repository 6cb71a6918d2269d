// One life: what is drawn for it, and what happens from its first start to the verdict.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "oracle/random.h"
#include "simulator/chronicle.h"
#include "simulator/clients.h"
#include "simulator/history.h"
#include "simulator/judge.h"
#include "simulator/letter_box.h"
#include "simulator/listener.h"
#include "simulator/log_contents.h"
#include "simulator/machine.h"
#include "simulator/plans.h"
#include "simulator/questions.h"
#include "simulator/simulation.h"
#include "simulator/troubles.h"

namespace attune::simulate {

class Life {
 public:
  explicit Life(const SimulationOptions& options);

  SimulationReport Run();

 private:
  using Part = Machine::Part;
  // Something that may happen, and how often beside the others.
  struct Chance {
    int64_t weight;
    std::function<void()> happen;
  };

  // --- what is drawn ---

  static Subjects DrawSubjects(const SimulationOptions& options, oracle::Random* random);
  std::vector<oracle::Record> DrawRecords();
  Machine::Hardware DrawHardware();
  void DrawPlans();

  // --- the process ---

  // Until it is up: what goes wrong in a start ends it, and the next one comes.
  bool Start();
  // Everything that must hold once it is up.
  bool TakeStock();
  // The snapshots in the store are what the log gives.
  bool CheckStored();
  void Gone();
  bool CrashAndStart();
  bool Restart();
  // A plan may have taken the place of another.
  void NotePlan();

  // --- what happens ---

  void Live();
  std::vector<Chance> Chances();
  void Happen();
  void Take(Part part) { machine_.Step(part); }
  // Of a loop that is not asleep.
  void TakeOfLoop(Part part);
  void LetLoopSleep();
  void Send();
  void Pass();
  void Unmerge();
  void UnmergeMany();
  void ChangePlan();
  // Soon after, it is more likely that everything ends.
  void Heat();
  // What has begun ends when nothing new comes.
  bool EverythingEnds();

  // --- the end ---

  // All is sent, done and told.
  bool EndInPeace();
  bool FireTimers();
  void Verdict();
  std::string Described() const;

  const SimulationOptions& options_;
  oracle::Random random_;
  Chronicle chronicle_;
  const Subjects subjects_;
  const oracle::Case made_;
  std::optional<Crowd> crowd_;
  const std::vector<oracle::Record> records_;
  const std::vector<std::string> ids_;
  Millis last_ = kAlways;  // event time
  Millis span_ = 1;

  Machine machine_;
  Troubles troubles_;
  Clients clients_;
  Questions questions_;
  Listener listener_;
  LetterBox letters_;
  Plans plans_;
  PlansInForce in_force_;
  size_t accepted_plan_ = 0;  // the last one that was: a start takes it
  LogContents log_;

  LifeCounts counts_;
  std::vector<uint64_t> asleep_until_;  // by loop, in steps
  uint64_t hot_until_ = 0;
  bool calm_ = false;  // nothing more goes wrong
  bool parted_ = false;
};

}  // namespace attune::simulate

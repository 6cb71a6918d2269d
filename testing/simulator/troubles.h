// What the disk and the store will do wrong, and what they keep when the power is cut.
#pragma once

#include "oracle/random.h"
#include "simulator/chronicle.h"
#include "simulator/machine.h"

namespace attune::simulate {

class Troubles {
 public:
  // `reads`: reads and opens may fail, too.
  Troubles(bool reads, oracle::Random* random, Machine* machine, Chronicle* chronicle)
      : reads_(reads), random_(*random), machine_(*machine), chronicle_(*chronicle) {}

  // One of the next calls to the disk fails.
  void BreakDisk();
  void FillDisk() { machine_.disk().SetCapacity(0); }
  void FreeDisk() { machine_.disk().SetCapacity(UINT64_MAX); }
  // One of the next batches finds no space.
  void BreakStore() { machine_.store().fail_after = static_cast<int>(random_.Below(3)); }
  // Nothing fails any more.
  void Mend();

  // The process is gone, and perhaps the power with it: then what was not synced is lost, in part.
  // Whether the power was cut. What broke is whole again.
  bool CutOff();

 private:
  void CutPower();
  // The store as it is after a crash: batches are whole, and the latest may be lost.
  void LoseBatches(bool power);

  const bool reads_;
  oracle::Random& random_;
  Machine& machine_;
  Chronicle& chronicle_;
};

}  // namespace attune::simulate

// A client of the stream, which resumes with the last id that it received.
#pragma once

#include <string>
#include <vector>

#include "effects/effect.h"
#include "oracle/random.h"
#include "simulator/chronicle.h"
#include "simulator/machine.h"

namespace attune::simulate {

// What the outbox told, with its id.
struct Heard {
  EffectId id;
  EffectKind kind = EffectKind::kEnter;
  std::string json;
  bool operator==(const Heard&) const = default;
};
std::string ToText(const Heard& heard);
// As the oracle writes it: of a firing without its id.
std::string WithoutId(const Heard& heard);

class Listener {
 public:
  Listener(oracle::Random* random, Machine* machine, Chronicle* chronicle)
      : random_(*random), machine_(*machine), chronicle_(*chronicle) {}

  // Reads everything that was published.
  void Listen();
  const std::vector<Heard>& heard() const { return heard_; }

 private:
  oracle::Random& random_;
  Machine& machine_;
  Chronicle& chronicle_;
  EffectId cursor_;
  std::vector<Heard> heard_;
};

// Everything that the outbox keeps, in order.
std::vector<Heard> KeptEffects(Machine* machine, Chronicle* chronicle);

}  // namespace attune::simulate

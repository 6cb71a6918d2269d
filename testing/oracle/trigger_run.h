// The triggers of one user: which conditions hold, what fires, and what is suppressed.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "oracle/history.h"

namespace attune::oracle {

struct Firing {
  Millis at = 0;
  std::string trigger;
  std::string user;
  std::string key;     // as JSON; empty: none
  std::string values;  // a JSON object, nulls left out
  bool operator==(const Firing&) const = default;
};
// As a line of firings.ndjson, without its id.
std::string ToText(const Firing& firing);

class TriggerRun {
 public:
  // The arguments must outlive this.
  TriggerRun(const Plan& plan, std::vector<Firing>* firings)
      : plan_(plan), firings_(firings), holds_(plan.triggers.size()) {}

  // Judges `enter` and `leave` at t, in the order of names, and keys in the order of their JSON. Returns how many
  // conditions changed, counting each key.
  int64_t Judge(const History& history, Millis t);
  // The same without firing anything.
  void JudgeQuietly(const History& history, Millis t);

  // Fires triggers that are `on` the event, at its time. `clock` is the user's latest instant.
  void FireOn(const Entry& event, const History& history, Millis clock);

  // Adds the firings of the other user to this one's.
  void TakeFirings(const TriggerRun& other) {
    past_.insert(past_.end(), other.past_.begin(), other.past_.end());
  }

 private:
  struct Past {
    const Trigger* trigger;
    std::string key;
    Millis at;
  };

  void Fire(const Trigger& trigger, const std::string& key, Millis at, Millis clock,
            const History& history);
  bool MayFire(const Trigger& trigger, const std::string& key, Millis at, Millis clock,
               const History& history) const;

  const Plan& plan_;
  std::vector<Firing>* firings_;
  std::vector<std::set<std::string>>
      holds_;  // by trigger: the keys for which it holds; "" without one
  std::vector<Past> past_;
};

}  // namespace attune::oracle

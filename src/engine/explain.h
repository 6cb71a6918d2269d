// Why an expression has the value it has for one user at one instant: the tree of what it is made of, with values, the
// events behind them, and when each will change by itself.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"

namespace attune {

struct Explanation {
  struct Event {
    std::string id;
    Millis time;
  };

  std::string text;             // the expression, with sugar undone
  std::string value;            // as JSON
  Millis until = kNever;        // the next instant at which the value is another if nothing happens
  bool moving = false;          // it changes with every millisecond
  bool incomplete = false;      // the plan's limit dropped events that it would have needed
  std::string missing;          // of a comparison of numbers that does not hold: how much more (or less) would do, as JSON
  std::vector<Event> events;    // that made it, the latest first; of many the latest kExplainedEvents
  size_t event_count = 0;
  std::vector<Explanation> parts;
};
inline constexpr size_t kExplainedEvents = 100;

// Given all records of one user, whichever of her ids they bear, it is asked about any instant. One thread.
class Explainer {
 public:
  // The expression must have been parsed against the plan; both must outlive this.
  Explainer(std::shared_ptr<const Plan> plan, const Expression& expression, std::string user);

  // An event's bytes (EncodeEvent).
  void Add(std::string_view bytes);

  bool has_records() const { return !records_.empty(); }
  // What is said at t, knowing all records given; those later than t are as if they had not come.
  Explanation At(Millis t);

 private:
  Explanation Explain(const Expression& expression, NodeId node, const UserState& user, Millis t);
  void AddEvents(const AggregateSpec& spec, const UserState& user, Millis t, Explanation* explanation);
  Millis NextChange(NodeId node, const UserState& user, Millis t, const std::string& value);

  const Expression& expression_;
  const std::string user_;
  std::shared_ptr<const Program> program_;
  RecordReader reader_;
  std::unique_ptr<Engine> engine_;
  std::vector<std::string> records_;
};

// As one JSON object, without the braces' neighbours; and as lines for a terminal.
std::string ExplanationJson(const Explanation& explanation);
std::string ExplanationText(const Explanation& explanation);

}  // namespace attune

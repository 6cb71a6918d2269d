// A plan made ready to run: expressions as nodes that share what they remember of a user, and lists of who listens to
// what. Immutable; shared by all shards and threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_map.h"
#include "engine/sessions.h"
#include "event/pattern.h"
#include "plan/plan.h"
#include "plan/zone.h"

namespace attune {

using NodeId = uint32_t;
using NameId = uint32_t;       // an event name that the plan speaks of; kOtherName for all the rest
using ConditionId = uint32_t;  // a segment, then the triggers, each after what it refers to

inline constexpr NameId kOtherName = 0;
inline constexpr uint32_t kNone = 0xFFFF'FFFF;

// Which events, once for all expressions that say the same.
struct SelectorSpec {
  NodeId filter = kNone;
};

// What is kept for one selector and property: an event stays while it is among the latest `keep_count`, or younger than
// `keep_span`.
struct SeriesSpec {
  uint32_t selector = 0;
  uint32_t field = kNone;  // of the values; kNone: instants alone
  uint32_t keep_count = 0;
  Millis keep_span = 0;    // kNever: as many as the plan's limit
};

// A running figure over all events, or those of a range [from, to): eight to 24 bytes for any number of events.
struct TotalSpec {
  enum class Kind : uint8_t { kCount, kSum, kMin, kMax, kFirst, kLast, kFirstTime, kLastTime };
  Kind kind = Kind::kCount;
  uint32_t selector = 0;
  uint32_t field = kNone;
  Millis from = kAlways;
  Millis to = kNever;
};

// What an aggregate reads: a series through a window, or a total.
struct AggregateSpec {
  Expression::Kind fn = Expression::Kind::kCount;
  uint32_t series = kNone;
  uint32_t total = kNone;
  Window::Kind window = Window::Kind::kEver;
  Millis length = 0;
  Millis offset = 0;
  Millis from = 0;
  Millis to = 0;
  NodeId anchor = kNone;
  double number = 0;
};

struct Node {
  Expression::Kind kind = Expression::Kind::kLiteral;
  bool moving = false;       // its value changes with every millisecond (since and age, outside a comparison)
  uint32_t first = 0;        // children: Program::children[first .. first + count)
  uint32_t count = 0;
  uint32_t aggregate = kNone;
  uint32_t index = kNone;    // the field of a property, the condition of in_segment, the name of a trait
  Value literal;             // text and lists live in the Program
  std::shared_ptr<const Pattern> pattern;
};

struct Condition {
  std::string name;
  NodeId root = kNone;       // kNone: always true (a trigger `on` without `where`)
  const Segment* segment = nullptr;
  const Trigger* trigger = nullptr;
  uint32_t on_selector = kNone;  // of a trigger `on`
  std::vector<std::pair<std::string, NodeId>> with;
};

// A set of conditions as bits.
class ConditionSet {
 public:
  explicit ConditionSet(size_t conditions = 0) : words_((conditions + 63) / 64) {}
  void Add(ConditionId c) { words_[c / 64] |= uint64_t{1} << c % 64; }
  bool Has(ConditionId c) const { return words_[c / 64] >> c % 64 & 1; }
  void AddAll(const ConditionSet& other) {
    for (size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }
  void Clear() { std::fill(words_.begin(), words_.end(), 0); }
  void Fill(size_t conditions) {
    for (ConditionId c = 0; c < conditions; ++c) Add(c);
  }
  // The first member that is not below `from`; kNone without one. Members added meanwhile are found too.
  ConditionId Next(ConditionId from) const {
    for (size_t i = from / 64; i < words_.size(); ++i) {
      uint64_t word = words_[i];
      if (i == from / 64) word &= ~uint64_t{0} << from % 64;
      if (word != 0) return static_cast<ConditionId>(i * 64 + static_cast<size_t>(__builtin_ctzll(word)));
    }
    return kNone;
  }

 private:
  std::vector<uint64_t> words_;
};

struct Program {
  // The plan must be one without problems.
  static std::shared_ptr<const Program> Compile(std::shared_ptr<const Plan> plan);

  NameId NameOf(std::string_view event) const {
    const auto found = names.find(event);
    return found == names.end() ? kOtherName : found->second;
  }
  // An upper bound on the bytes that one user's state for this condition or metric needs; shared state counts for each.
  int64_t StateBound(NodeId root) const;

  std::shared_ptr<const Plan> plan;
  Zone zone;
  SessionRules sessions;

  TextMap<NameId> names;
  std::vector<PropertyPath> fields;                       // what expressions read of events
  std::vector<std::vector<uint32_t>> fields_of_name;      // which of them for each name
  std::vector<std::vector<uint32_t>> selectors_of_name;

  std::vector<SelectorSpec> selectors;
  std::vector<SeriesSpec> series;
  std::vector<std::vector<uint32_t>> series_of_selector;
  std::vector<TotalSpec> totals;
  std::vector<std::vector<uint32_t>> totals_of_selector;
  std::vector<AggregateSpec> aggregates;
  std::vector<Node> nodes;
  std::vector<NodeId> children;
  std::vector<std::string> traits;                        // dotted names that expressions read

  std::vector<Condition> conditions;                      // [0, segment_count) are segments
  size_t segment_count = 0;
  std::vector<ConditionId> condition_of_segment;          // by the plan's order
  std::vector<NodeId> metric_roots;                       // by the plan's order
  std::vector<uint32_t> condition_of_on_trigger;          // conditions whose trigger is `on`

  std::vector<ConditionSet> listeners_of_selector;
  std::vector<ConditionSet> dependents_of_segment;        // by condition
  ConditionSet session_listeners;   // of where sessions begin
  ConditionSet event_listeners;     // of every event: how long a session lasts
  ConditionSet trait_listeners;

  std::vector<std::unique_ptr<std::string>> texts;        // literals
  std::vector<std::unique_ptr<std::vector<Value>>> lists;

 private:
  explicit Program(Zone z) : zone(z) {}
  friend class Compiler;
};

}  // namespace attune

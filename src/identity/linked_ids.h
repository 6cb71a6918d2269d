// Sets of ids that records link, directly or indirectly: they may come to lead to one person.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_map.h"
#include "event/event.h"

namespace attune {

// Disjoint sets with union by size (Tarjan and van Leeuwen, "Worst-case analysis of set union algorithms", 1984): a
// call costs O(log N). Reads change nothing, so threads may read concurrently.
class LinkedIds {
 public:
  // Whether an event's JSON needs parsing: only identify and alias link ids. Detects their letters and their escapes.
  static bool MayLink(std::string_view json);

  // Links the ids of an identify or alias that has two.
  void TakeIn(const EventHead& head);
  // A record requests to merge `other` into `user`.
  void Link(std::string_view other, std::string_view user);
  bool Contains(std::string_view id) const { return !by_id_.empty() && by_id_.contains(id); }
  // Whether the ids are equal or linked.
  bool AreLinked(std::string_view a, std::string_view b) const { return RootOf(a) == RootOf(b); }
  // One id of the set, the same for all of its ids; the id itself when it is not linked.
  std::string_view RootOf(std::string_view id) const;

  // Whether the id may lead to another than itself once the requested links are made, in their order or partially. Each
  // set has at most one id that may not.
  bool MayLeadElsewhere(std::string_view id) const;

 private:
  struct Node {
    std::string id;
    uint32_t parent;
    uint32_t size = 1;   // of a root: ids in the set
    uint32_t last;       // of a root: the id that leads nowhere else, to which all others may lead; or kNone
    bool leads = false;  // may lead to another id
  };
  static constexpr uint32_t kNone = UINT32_MAX;

  uint32_t NodeOf(std::string_view id);
  uint32_t Find(uint32_t node) const;

  std::deque<Node> nodes_;
  TextMap<uint32_t> by_id_;
};

}  // namespace attune

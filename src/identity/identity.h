// Which ids lead to one person.
//
// The links form a forest: a merge makes the root of one tree a child of the root of another, and cutting that link
// undoes the merge. The ids of one tree belong to one person, and the root's id is the person's name. Cut links are
// kept with their range of records, so the forest can be read as of an earlier record of the log.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_map.h"
#include "event/event.h"

namespace attune {

// docs/language.md, "One person, several ids", has the rule: a later record changes none of the effects of an earlier
// one.
//
// Cost: PersonOf is one lookup. N merges cost O(N log N) together, since the smaller tree is relabelled. Undo costs the
// tree that it cuts off.
class Identity {
 public:
  // The person that an id leads to; without merges, a person named by the id itself. Valid as long as `id` and this
  // object.
  std::string_view PersonOf(std::string_view id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? id : nodes_[trees_[nodes_[found->second].tree].root].id;
  }

  // Whether the record requests that the history of its anonymous (or previous) id become its user's. The request is
  // granted unless that history is a known person's, or a merge of the two was undone. `record`: a Record or an
  // EventHead.
  static bool RequestsMerge(const auto& record) {
    const bool may = record.kind == EventKind::kIdentify || record.kind == EventKind::kAlias;
    return may && !record.anonymous_id.empty() && record.anonymous_id != record.user;
  }
  // False: the two will not be merged, whatever their states are. Both arguments are names of people.
  bool MayMerge(std::string_view other, std::string_view person) const {
    return other != person && !known_.contains(other) && !apart_.contains(Pair(other, person));
  }
  // Remembers that the person is known, so that later merges of the person into another are refused without reading
  // state.
  void NoteKnown(std::string_view person) { known_.emplace(person); }

  // From the record with this sequence on, all ids that led to `other` lead to `person`. Both are names of people.
  void Merge(std::string_view other, std::string_view person, uint64_t sequence);
  // Whether the id was merged into another.
  bool IsMerged(std::string_view id) const {
    const auto found = by_id_.find(id);
    return found != by_id_.end() && IsLinked(nodes_[found->second]);
  }
  // Makes the id lead to itself again, with all ids that led to it at the merge or since. No later record merges the
  // two people again, in either direction. Does nothing unless IsMerged(id).
  void Undo(std::string_view id, uint64_t sequence);

  // Whether the id led to `person` once the record with this sequence had been applied. Walks the links.
  bool LedTo(std::string_view id, std::string_view person, uint64_t sequence) const;
  // Whether any two ids were ever merged.
  bool any_merged() const { return !nodes_.empty(); }
  // Whether any merge was undone; otherwise every id that was ever a person's still is.
  bool any_undone() const { return !apart_.empty(); }

  // In no particular order.
  void ForEachMerged(const std::function<void(std::string_view id, std::string_view into)>& fn) const;

 private:
  static constexpr uint32_t kNobody = std::numeric_limits<uint32_t>::max();
  struct Link {
    uint32_t parent;
    uint64_t since;
    uint64_t until;  // the record that undid the link
  };
  struct Node {
    std::string id;
    uint32_t tree;
    std::vector<Link> links;         // to its parents over time, the current one last
    std::vector<uint32_t> children;
  };
  struct Tree {
    uint32_t root;
    uint32_t size;
  };

  static constexpr uint64_t kForever = std::numeric_limits<uint64_t>::max();
  static bool IsLinked(const Node& node) { return !node.links.empty() && node.links.back().until == kForever; }
  static std::string Pair(std::string_view other, std::string_view person) {
    return std::to_string(other.size()).append(":").append(other).append(person);
  }
  uint32_t NodeOf(std::string_view id);
  // Labels the node and all nodes below it; returns their number.
  uint32_t Label(uint32_t node, uint32_t tree);

  std::deque<Node> nodes_;
  std::vector<Tree> trees_;
  TextMap<uint32_t> by_id_;
  absl::flat_hash_set<std::string, TextHash, std::equal_to<>> known_;
  absl::flat_hash_set<std::string> apart_;  // pairs, in both orders
};

}  // namespace attune

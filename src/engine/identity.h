// Which ids lead to one person.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <functional>
#include <string>
#include <string_view>

#include "base/text_map.h"
#include "engine/record.h"

namespace attune {

// The ids that were merged into others. What a later record says changes nothing that an earlier one brought about; the
// rule is told in docs/language.md, "One person, several ids".
class Identity {
 public:
  // The person whom an id leads to: at first one of its own, who bears the id as her name. Lives as long as the id given
  // and this.
  std::string_view PersonOf(std::string_view id) const {
    for (auto next = leads_to_.find(id); next != leads_to_.end(); next = leads_to_.find(id)) id = next->second;
    return id;
  }

  // Whether the record asks for the history of its anonymous (or previous) id to become its user's. It may, unless that
  // history is a known person's, or a merge of the two was undone. `record`: a Record or an EventHead.
  static bool AsksToMerge(const auto& record) {
    const bool may = record.kind == EventKind::kIdentify || record.kind == EventKind::kAlias;
    return may && !record.anonymous_id.empty() && record.anonymous_id != record.user;
  }
  bool MayMerge(std::string_view other, std::string_view person) const {
    return other != person && !apart_.contains(Pair(other, person));
  }

  // From now on all ids that lead to `other` lead to `person`. Both are names of people.
  void Merge(std::string_view other, std::string_view person) { leads_to_[other] = person; }

  // Whether the id was merged into another.
  bool IsMerged(std::string_view id) const { return leads_to_.contains(id); }
  // The id leads to itself again, with all that led to it. No record will merge the two again.
  void Undo(std::string_view id) {
    const std::string person(PersonOf(id));
    leads_to_.erase(id);
    apart_.insert(Pair(id, person));
  }

  void ForEachMerged(const std::function<void(std::string_view id, std::string_view into)>& fn) const {
    for (const auto& [id, into] : leads_to_) fn(id, into);
  }

 private:
  static std::string Pair(std::string_view other, std::string_view person) {
    return std::to_string(other.size()).append(":").append(other).append(person);
  }

  TextMap<std::string> leads_to_;
  absl::flat_hash_set<std::string> apart_;  // pairs
};

}  // namespace attune

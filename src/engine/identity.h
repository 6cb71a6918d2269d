// Which ids lead to one person.
#pragma once

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
  // history is a known person's.
  static bool AsksToMerge(const Record& record) {
    const bool may = record.kind == EventKind::kIdentify || record.kind == EventKind::kAlias;
    return may && !record.anonymous_id.empty() && record.anonymous_id != record.user;
  }

  // From now on all ids that lead to `other` lead to `person`. Both are names of people.
  void Merge(std::string_view other, std::string_view person) { leads_to_[other] = person; }

 private:
  TextMap<std::string> leads_to_;
};

}  // namespace attune

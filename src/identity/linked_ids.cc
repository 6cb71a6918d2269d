#include "identity/linked_ids.h"

#include <utility>

#include "identity/identity.h"

namespace attune {

bool LinkedIds::MayLink(std::string_view json) {
  // Most events lack even these letters, so this test is worthwhile; the compiler vectorises it.
  unsigned char hits = 0;
  const char* const at = json.data();
  for (size_t i = 0; i + 2 < json.size(); ++i) {
    const bool alias = (at[i] == 'l') & (at[i + 1] == 'i') & (at[i + 2] == 'a');
    const bool identify = (at[i] == 't') & (at[i + 1] == 'i') & (at[i + 2] == 'f');
    hits |= static_cast<unsigned char>(alias | identify | (at[i] == '\\'));
  }
  const auto has = [&](std::string_view text) { return json.find(text) != std::string_view::npos; };
  return hits != 0 && (has("identify") || has("alias") || has("\\u"));
}

void LinkedIds::TakeIn(const EventHead& head) {
  if (Identity::RequestsMerge(head)) Link(head.anonymous_id, head.user);
}

uint32_t LinkedIds::NodeOf(std::string_view id) {
  const auto next = static_cast<uint32_t>(nodes_.size());
  const auto [found, added] = by_id_.try_emplace(id, next);
  if (added) nodes_.push_back({std::string(id), next, 1, next, false});
  return found->second;
}

uint32_t LinkedIds::Find(uint32_t node) const {
  while (nodes_[node].parent != node) node = nodes_[node].parent;
  return node;
}

std::string_view LinkedIds::RootOf(std::string_view id) const {
  if (by_id_.empty()) return id;
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? id : std::string_view(nodes_[Find(found->second)].id);
}

bool LinkedIds::MayLeadElsewhere(std::string_view id) const {
  if (by_id_.empty()) return false;
  const auto found = by_id_.find(id);
  return found != by_id_.end() && nodes_[found->second].leads;
}

// Any id of `other`'s set may hold its history by now, and the history goes to `user`: so each of them may lead
// elsewhere.
void LinkedIds::Link(std::string_view other, std::string_view user) {
  if (other == user) return;
  const uint32_t named = NodeOf(user);
  uint32_t from = Find(NodeOf(other)), into = Find(named);
  uint32_t& last = nodes_[from].last;
  if (last != kNone && last != named) {
    nodes_[last].leads = true;
    last = kNone;
  }
  if (from == into) return;
  const uint32_t remains = nodes_[into].last;
  if (nodes_[from].size > nodes_[into].size) std::swap(from, into);
  nodes_[from].parent = into;
  nodes_[into].size += nodes_[from].size;
  nodes_[into].last = remains;
}

}  // namespace attune

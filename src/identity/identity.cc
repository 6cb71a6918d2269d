#include "identity/identity.h"

#include <algorithm>

namespace attune {

uint32_t Identity::NodeOf(std::string_view id) {
  const auto [found, added] = by_id_.try_emplace(id, static_cast<uint32_t>(nodes_.size()));
  if (added) {
    nodes_.push_back({std::string(id), static_cast<uint32_t>(trees_.size()), {}, {}});
    trees_.push_back({found->second, 1});
  }
  return found->second;
}

uint32_t Identity::Label(uint32_t node, uint32_t tree) {
  uint32_t labelled = 0;
  std::vector<uint32_t> left = {node};
  while (!left.empty()) {
    const uint32_t next = left.back();
    left.pop_back();
    nodes_[next].tree = tree;
    ++labelled;
    left.insert(left.end(), nodes_[next].children.begin(), nodes_[next].children.end());
  }
  return labelled;
}

void Identity::Merge(std::string_view other, std::string_view person, uint64_t sequence) {
  const uint32_t child = NodeOf(other), parent = NodeOf(person);
  const uint32_t from = nodes_[child].tree, into = nodes_[parent].tree;
  if (from == into) return;
  const uint32_t root = trees_[into].root;
  if (trees_[from].size > trees_[into].size) {
    trees_[from].size += Label(root, from);
    trees_[from].root = root;
  } else {
    trees_[into].size += Label(child, into);
  }
  nodes_[child].links.push_back({parent, sequence, kForever});
  nodes_[parent].children.push_back(child);
}

void Identity::Undo(std::string_view id, uint64_t sequence) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end() || !IsLinked(nodes_[found->second])) return;
  Node& node = nodes_[found->second];
  const uint32_t tree = node.tree;
  const std::string& person = nodes_[trees_[tree].root].id;
  apart_.insert(Pair(id, person));
  apart_.insert(Pair(person, id));
  if (const auto known = known_.find(person); known != known_.end()) known_.erase(known);
  node.links.back().until = sequence;
  auto& children = nodes_[node.links.back().parent].children;
  children.erase(std::find(children.begin(), children.end(), found->second));
  const auto own = static_cast<uint32_t>(trees_.size());
  trees_.push_back({found->second, 0});
  trees_[own].size = Label(found->second, own);
  trees_[tree].size -= trees_[own].size;
}

bool Identity::LedTo(std::string_view id, std::string_view person, uint64_t sequence) const {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return id == person;
  uint32_t node = found->second;
  while (true) {
    const auto& links = nodes_[node].links;
    const auto link = std::find_if(links.begin(), links.end(),
                                   [&](const Link& held) { return held.since <= sequence && sequence < held.until; });
    if (link == links.end()) return nodes_[node].id == person;
    node = link->parent;
  }
}

void Identity::ForEachMerged(const std::function<void(std::string_view id, std::string_view into)>& fn) const {
  for (const Node& node : nodes_) {
    if (IsLinked(node)) fn(node.id, nodes_[node.links.back().parent].id);
  }
}

}  // namespace attune

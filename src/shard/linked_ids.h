// Which ids of a history some record may merge with others: found by reading it once before it is replayed, so that ids
// that may come to lead to one person are applied by one thread, and their histories alone are kept in memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/text_map.h"
#include "event/event.h"
#include "shard/shard_of.h"

namespace attune {

class LinkedIds {
 public:
  // Whether an event's JSON is worth looking at: only identify and alias link ids, in letters or in escapes.
  static bool MayLink(std::string_view json) {
    // Most events have not even these letters, which the compiler looks for in many places at a time.
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

  void TakeIn(const EventHead& head) {
    const bool links = head.kind == EventKind::kIdentify || head.kind == EventKind::kAlias;
    if (links && !head.anonymous_id.empty() && head.anonymous_id != head.user) Link(head.user, head.anonymous_id);
  }

  bool Contains(std::string_view id) const { return !next_.empty() && next_.contains(id); }
  // Whether they are the same or some records link them, directly or by others.
  bool AreLinked(std::string_view a, std::string_view b) const { return RootOf(a) == RootOf(b); }
  // The same shard for all ids that are linked, directly or by others.
  uint8_t ShardOf(std::string_view id) const { return attune::ShardOf(RootOf(id)); }

 private:
  std::string_view RootOf(std::string_view id) const {
    if (next_.empty()) return id;
    for (auto next = next_.find(id); next != next_.end() && next->second != id; next = next_.find(id)) id = next->second;
    return id;
  }
  void Link(std::string_view a, std::string_view b) {
    const std::string root_a(RootOf(a)), root_b(RootOf(b));
    next_.try_emplace(root_b, root_b);
    next_[root_a] = root_b;
    for (const std::string_view id : {a, b}) {  // shorter ways for the next look
      if (id != root_b) next_[id] = root_b;
    }
  }

  TextMap<std::string> next_;  // towards the id that stands for all; that one leads to itself
};

}  // namespace attune

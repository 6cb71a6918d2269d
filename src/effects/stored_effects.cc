#include "effects/stored_effects.h"

#include <algorithm>

#include "state/keyspace.h"

namespace attune {

std::string KeyOfGroupsAfter(EffectId floor) {
  return EffectKey({floor.sequence - std::min(floor.sequence, EffectGroup::kMaxSpan), 0});
}

Result<EffectPage> ReadStoredEffects(const Store& store, EffectId cursor, EffectId up_to, size_t bytes) {
  EffectPage page;
  page.next = std::max(cursor, up_to);
  size_t taken = 0;
  bool advances = false;  // the groups have an effect after the cursor and before the next group
  EffectId limit = up_to;
  const Status status = store.ForEach(
      keys::kOutbox,
      [&](std::string_view key, std::string_view value) {
        const auto first = EffectOfKey(key);
        if (!first) return true;
        if (*first > up_to) return false;
        // Groups come in the order of their first effects: the effects before this one are all in the groups so far.
        if (taken >= bytes && advances) {
          limit = *first;
          page.more = true;
          return false;
        }
        auto group = EffectGroup::Parse(*first, value);
        if (!group || group->last() <= cursor) return true;
        taken += value.size();
        advances |= *first > cursor;
        page.groups.push_back(std::make_shared<const EffectGroup>(*std::move(group)));
        return true;
      },
      KeyOfGroupsAfter(cursor));
  if (!status.ok()) return status.error();
  page.effects = MergeGroups(page.groups, cursor, limit);
  if (page.more && !page.effects.empty() && page.effects.back().id == limit) page.effects.pop_back();
  if (page.more) page.next = page.effects.back().id;
  return page;
}

}  // namespace attune

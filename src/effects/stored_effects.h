// Reads the effects that a store keeps, in order, from groups that may overlap.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "effects/effect_group.h"
#include "state/store.h"

namespace attune {

struct EffectPage {
  std::vector<std::shared_ptr<const EffectGroup>> groups;  // keep the views of the effects alive
  std::vector<PublishedEffect> effects;                    // in order
  EffectId next;                                           // the cursor after all of them
  bool more = false;                                       // more is available now
};

// About `bytes` of the stored groups with effects after the cursor, at least one effect if there is one; effects up to
// `up_to`. Groups that cannot be read are left out: `attune verify` reports them. Errors as Store::ForEach. Any thread.
Result<EffectPage> ReadStoredEffects(const Store& store, EffectId cursor, EffectId up_to, size_t bytes);

// The key below which no group has an effect after `floor`.
std::string KeyOfGroupsAfter(EffectId floor);

}  // namespace attune

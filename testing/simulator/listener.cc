#include "simulator/listener.h"

#include <algorithm>

namespace attune::simulate {

std::string ToText(const Heard& heard) { return attune::ToText(heard.id) + ' ' + heard.json; }

// No text before it can look like it: its quotes would be escaped.
std::string WithoutId(const Heard& heard) {
  if (heard.kind != EffectKind::kFiring) return heard.json;
  constexpr std::string_view kId = ",\"id\":\"";
  std::string line = heard.json;
  const size_t begin = line.find(kId);
  return line.erase(begin, line.find('"', begin + kId.size()) + 1 - begin);
}

void Listener::Listen() {
  const auto fail = [&](std::string what) { return static_cast<void>(chronicle_.Fail(Promise::kEffects, std::move(what))); };
  while (true) {
    const auto page = machine_.runtime().outbox().Read(cursor_, static_cast<size_t>(random_.From(1, 4'000)));
    if (!page.ok()) return fail("the outbox cannot be read: " + page.error().message);
    if (page->gone()) return fail("the outbox no longer keeps what follows " + attune::ToText(cursor_));
    for (const PublishedEffect& effect : page->effects) {
      if (effect.id <= cursor_) return fail("not after the cursor: effect " + attune::ToText(effect.id));
      if (!heard_.empty() && effect.id <= heard_.back().id) return fail("out of order: effect " + attune::ToText(effect.id));
      heard_.push_back({effect.id, effect.kind, effect.Json()});
    }
    cursor_ = page->next;
    if (!page->more) break;
  }
  Consume();
}

// The consumer's position is one that it acknowledged, or where it began: after a crash perhaps an earlier one, never a later.
bool Listener::Consume() {
  constexpr std::string_view kName = "listener";
  Outbox& outbox = machine_.runtime().outbox();
  if (!outbox.AddConsumer(kName).ok()) return true;  // the disk is full, or failing
  const EffectId position = outbox.PositionOf(kName);
  if (!added_after_) added_after_ = acknowledged_ = position;
  if (position < *added_after_ || position > acknowledged_) {
    return chronicle_.Fail(Promise::kEffects, "a consumer that acknowledged " + attune::ToText(acknowledged_) + " is at " + attune::ToText(position));
  }
  if (heard_.empty()) return true;
  const EffectId id = heard_[(heard_.size() - 1) * 3 / 4].id;
  outbox.Acknowledge(kName, id);
  acknowledged_ = std::max(acknowledged_, id);
  return true;
}

std::vector<Heard> KeptEffects(Machine* machine, Chronicle* chronicle) {
  std::vector<Heard> kept;
  const Status status = machine->runtime().outbox().ForEachBackwards([&](const PublishedEffect& effect) {
    kept.push_back({effect.id, effect.kind, effect.Json()});
    return true;
  });
  if (!status.ok()) chronicle->Fail(Promise::kEffects, "the outbox cannot be read: " + status.error().message);
  std::reverse(kept.begin(), kept.end());
  return kept;
}

}  // namespace attune::simulate

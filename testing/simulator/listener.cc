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
    if (!page->more) return;
  }
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

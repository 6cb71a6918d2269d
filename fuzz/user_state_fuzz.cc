// The state of a user in a snapshot: bytes that can be read are written again with the same state; others are refused.
#include "base/check.h"
#include "engine/state/user.h"
#include "plan/plan.h"

namespace {

// Series with and without values, totals of each kind, sessions, a trigger.
constexpr char kPlan[] = R"(
metrics:
  carts: count(add_to_cart[1h])
  spent: sum(purchase.total)
  recent_spent: sum(purchase.total[7d])
  products: distinct(add_to_cart.product_id[1d])
  first: first(page_viewed.path)
  last: last(page_viewed.path)
  most: max(purchase.total)
  least: min(purchase.total)
  began: first_time(any)
  latest: last_time(any)
  pages: count(page_viewed[session])
segments:
  shopper: {when: "count(add_to_cart[1h]) >= 2"}
  polish: {when: 'trait.country = "PL"'}
  hesitant: {when: add_to_cart then no purchase for 30m}
triggers:
  remind: {enter: add_to_cart then no purchase for 30m, cooldown: 1h}
)";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace attune;
  static const auto program = [] {
    LoadedPlan loaded = ParsePlan(kPlan);
    for (const Problem& problem : loaded.problems) fputs((ToText(problem) + "\n").c_str(), stderr);
    ATTUNE_CHECK(loaded.plan != nullptr, "the plan above is right");
    return Program::Compile(std::move(loaded.plan));
  }();
  const auto written_of = [](const UserState& user, const Interner& interner) {
    ByteWriter out;
    WriteUser(user, interner, &out);
    return out.Take();
  };
  Interner interner;
  UserState user("ann", 0, *program);
  ByteReader in({reinterpret_cast<const char*>(data), size});
  if (!ReadUser(&in, &interner, &user)) return 0;
  const std::string written = written_of(user, interner);
  UserState again("ann", 0, *program);
  ByteReader in_again(written);
  ATTUNE_CHECK(ReadUser(&in_again, &interner, &again), "what was written can be read");
  ATTUNE_CHECK(written_of(again, interner) == written, "and is the same state");
  return 0;
}

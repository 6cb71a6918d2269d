// An expression: if it parses, it can be written and parsed again, it compiles, and the engine runs a short history
// with it.
#include <string>

#include "base/check.h"
#include "base/json.h"
#include "event/event.h"
#include "history/history_run.h"
#include "plan/plan.h"

namespace {

using namespace attune;

constexpr Millis kStart = 1'772'359'200'000;

std::string EventBytes(int i, std::string_view user, std::string_view name, std::string_view json) {
  EventHead head;
  head.kind = name.empty() ? EventKind::kIdentify : EventKind::kTrack;
  const std::string id = std::to_string(i);
  head.id = id;
  head.user = user;
  head.name = name;
  // Some events are late, and one comes long after the others.
  head.time = kStart + i * kMinute - (i % 5 == 4 ? 90 * kMinute : 0) + (i == 23 ? 40 * kDay : 0);
  head.received = kStart + i * kMinute;
  std::string bytes;
  EncodeEvent(head, json, &bytes);
  return bytes;
}

void Live(const std::shared_ptr<const Program>& program) {
  static constexpr std::string_view kNames[] = {"add_to_cart", "page_viewed", "purchase", "", "e"};
  static constexpr std::string_view kJson[] = {
      R"({"properties":{"price":12.5,"product_id":"A1","n":{"a":1},"tags":["x","y"]}})",
      R"({"properties":{"path":"/a","price":null,"at":"2026-03-01T10:00:00Z"},"context":{"campaign":{"source":"web"}}})",
      R"({"properties":{"total":-3,"price":"12,5"},"traits":{"country":"PL","plan.level":2}})",
      R"({"context":{"consent":{"categoryPreferences":{"email":true}}},"traits":{"country":null}})",
  };
  HistoryRun::Sink sink;
  sink.transition = [](const Transition&) {};
  sink.firing = [](const TriggerFiring&) {};
  sink.values = [](Millis, const UserState&) {};
  HistoryRun run(program, {kStart + kHour}, sink, [](std::string_view) { return false; });
  for (int i = 0; i < 24; ++i) {
    run.Apply(EventBytes(i, i % 7 == 3 ? "bob" : "ann", kNames[i % 5], kJson[i % 4]));
  }
  run.Finish(kStart + 45 * kDay);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const LoadedPlan empty = ParsePlan("segments: {a: {when: \"true\"}}");
  const ParsedExpression parsed = ParseExpression(text, *empty.plan);
  if (!parsed.expression) return 0;
  const std::string written = ToText(*parsed.expression);
  const ParsedExpression again = ParseExpression(written, *empty.plan);
  ATTUNE_CHECK(again.expression != nullptr, "what was written can be read");
  ATTUNE_CHECK(ToText(*again.expression) == written, "and is written the same");
  // JSON strings are also YAML strings.
  std::string plan = "limits: {events: 20}\nsegments:\n  s:\n    when: ";
  AppendJsonString(written, &plan);
  LoadedPlan loaded = ParsePlan(plan + "\n");
  if (loaded.plan) Live(Program::Compile(std::move(loaded.plan)));
  return 0;
}

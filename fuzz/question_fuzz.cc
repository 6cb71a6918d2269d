// The parts of a request: the path and query of its target, the filter of a stream, ids, keys and times. The input is a
// target, and after a zero byte the value of a header.
#include "access/write_key.h"
#include "api/effect_filter.h"
#include "base/check.h"
#include "base/time.h"
#include "effects/effect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace attune;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view target = text.substr(0, text.find('\0'));
  const std::string_view header = text.substr(std::min(target.size() + 1, size));
  static const LoadedPlan loaded = ParsePlan(
      "segments: {high: {when: \"true\"}, low: {when: \"false\"}}\ntriggers: {remind: {on: purchase}}\n");
  ATTUNE_CHECK(loaded.plan != nullptr, "the plan above is right");
  Request request("GET", target);
  request.AddHeader("Last-Event-ID", header);
  if (const auto segments = request.PathSegments()) {
    ATTUNE_CHECK(segments->size() <= target.size() + 1, "no more pieces than slashes");
  }
  for (const auto& [name, value] : request.QueryParameters()) {
    ATTUNE_CHECK(request.QueryParameter(name).has_value(), "a parameter of the list is found by its name");
    (void)ParseRfc3339(value);
  }
  const auto filter = EffectFilter::Parse(request, *loaded.plan, {"since"});
  ATTUNE_CHECK(filter.ok() || !filter.error().message.empty(), "a refusal says why");
  if (filter.ok()) {
    for (const EffectKind kind : {EffectKind::kLeave, EffectKind::kEnter, EffectKind::kFiring}) {
      (void)filter->Takes({{1, 0}, kind, false, 0, "high", "ann", ""});
    }
  }
  if (const auto id = ParseEffectId(header)) {
    ATTUNE_CHECK(ParseEffectId(ToText(*id)) == id, "an id that is written is the same id");
    ATTUNE_CHECK(EffectOfKey(EffectKey(*id)) == id, "and has its key");
  }
  if (const auto time = ParseRfc3339(header)) {
    ATTUNE_CHECK(ParseRfc3339(FormatRfc3339(*time)) == time, "a time that is written is the same time");
  }
  (void)FindWriteKey({.authorization = header, .x_write_key = header, .query = request.query()});
  return 0;
}

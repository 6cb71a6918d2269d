#include "dead_letter/letter_filter.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/code.h"
#include "base/json.h"
#include "event/name.h"

namespace attune {
namespace {

std::string AsJson(std::string_view text) {
  std::string json;
  AppendJsonString(text, &json);
  return json;
}

bool IsReason(std::string_view text) {
  return std::any_of(std::begin(kCodes), std::end(kCodes), [&](const CodeInfo& info) { return info.is_reason && info.text == text; });
}

Error Wrong(std::string_view name, std::string_view expected, std::string_view found) {
  return {ErrorCode::kInvalid, fmt::format("{}: expected {}, found \"{}\"", name, expected, found)};
}

}  // namespace

Result<LetterFilter> LetterFilter::Read(const Lookup& lookup) {
  LetterFilter filter;
  if (const auto reason = lookup("reason")) {
    if (!IsReason(*reason)) return Wrong("reason", "a reason that /v1/errors lists", *reason);
    filter.reason_ = AsJson(*reason);
  }
  if (const auto source = lookup("source")) {
    filter.source_ = AsJson(*source);
    filter.source_.pop_back();
  }
  if (const auto event = lookup("event")) {
    std::string name;
    NormaliseEventName(*event, &name);
    if (name.empty()) return Wrong("event", "an event's name", *event);
    filter.event_ = AsJson(name);
  }
  for (const auto& [name, at] : {std::pair{"since", &filter.since_}, {"until", &filter.until_}}) {
    const auto text = lookup(name);
    if (!text) continue;
    *at = ParseRfc3339(*text);
    if (!*at) return Wrong(name, "a time such as 2026-03-01T10:00:00Z", *text);
  }
  if (const auto state = lookup("state")) {
    if (*state != "new" && *state != "replayed") return Wrong("state", "new or replayed", *state);
    filter.state_ = *state == "new" ? State::kNew : State::kReplayed;
  }
  return filter;
}

bool LetterFilter::Takes(const KeptLetter& letter) const {
  if (!reason_.empty() && letter.reason != reason_) return false;
  if (!event_.empty() && letter.event_name != event_) return false;
  if (state_ != State::kAny && letter.replayed_as.has_value() != (state_ == State::kReplayed)) return false;
  if (!source_.empty()) {
    // `/v1/batch` matches all of its events, `/v1/batch[3]` matches one.
    if (!letter.source.starts_with(source_)) return false;
    const char next = letter.source[source_.size()];
    if (next != '"' && next != '[') return false;
  }
  if (!since_ && !until_) return true;
  const auto received = letter.received.size() > 2 ? ParseRfc3339(letter.received.substr(1, letter.received.size() - 2)) : std::nullopt;
  return received && (!since_ || *received >= *since_) && (!until_ || *received < *until_);
}

}  // namespace attune

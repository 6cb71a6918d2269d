#include "ingest/dead_letter.h"

#include <algorithm>

#include "event/json_text.h"
#include "event/value.h"

namespace attune {
namespace {

constexpr bool TableIsInOrder() {
  for (size_t i = 0; i < kReasonCount; ++i) {
    if (static_cast<size_t>(kReasons[i].reason) != i) return false;
  }
  return kReasonCount == static_cast<size_t>(Reason::kBatchTooLong) + 1;
}
static_assert(TableIsInOrder(), "InfoOf finds a reason at its own number");

// Valid JSON on one line: a line break can stand only between its tokens.
void AppendOnOneLine(std::string_view json, std::string* out) {
  const size_t begin = out->size();
  out->append(json);
  std::replace_if(
      out->begin() + static_cast<ptrdiff_t>(begin), out->end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
}

}  // namespace

std::string ToNdjson(const DeadLetter& letter) {
  const EventError& error = letter.first();
  std::string out = "{\"source\":";
  AppendJsonString(letter.source, &out);
  out += ",\"reason\":";
  AppendJsonString(CodeOf(error.reason), &out);
  out += ",\"field\":";
  if (error.field.empty()) {
    out += "null";
  } else {
    AppendJsonString(error.field, &out);
  }
  out += ",\"detail\":";
  AppendJsonString(error.detail, &out);
  out += ",\"event\":";
  if (letter.event_is_json) {
    AppendOnOneLine(letter.event, &out);
  } else {
    AppendJsonString(letter.event, &out);
  }
  return out + "}";
}

}  // namespace attune

#include "history/history_line.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"

namespace attune {
namespace {

bool SameKind(const EventHead& a, const EventHead& b) { return a.kind == b.kind && a.name == b.name; }

EventHead Read(std::string_view line, TrackingPlan* admission) {
  Origin origin;
  origin.history = true;
  origin.file = true;
  return admission->Admit(line, origin).head;
}

// A `type` for an event that had none because the request's path implied it.
std::string_view TypeOf(const EventHead& head, bool as_page) {
  switch (head.kind) {
    case EventKind::kIdentify: return "identify";
    case EventKind::kGroup: return "group";
    case EventKind::kAlias: return "alias";
    case EventKind::kTrack: break;
  }
  if (!as_page) return "track";
  return head.name == "screen_viewed" ? "screen" : "page";
}

void AddMember(std::string_view name, std::string_view text, std::string* line) {
  const size_t end = line->rfind('}');
  std::string member = fmt::format(",\"{}\":", name);
  AppendJsonString(text, &member);
  line->insert(end, member);
}

}  // namespace

bool AppendHistoryLine(const EncodedEvent& event, TrackingPlan* admission, std::string* out) {
  std::string line(event.json);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  const size_t sent = line.size();
  EventHead read = Read(line, admission);
  // Without its type no other member is read.
  if (!SameKind(read, event.head)) {
    std::string typed = line;
    AddMember("type", TypeOf(event.head, false), &typed);
    if (!SameKind(Read(typed, admission), event.head)) {
      typed = line;
      AddMember("type", TypeOf(event.head, true), &typed);
    }
    line = std::move(typed);
    read = Read(line, admission);
  }
  const bool other_time = read.time != event.head.time;
  if (read.id != event.head.id) AddMember("messageId", event.head.id, &line);
  if (other_time) {
    AddMember("timestamp", FormatRfc3339(event.head.time), &line);
    AddMember("originalTimestamp", FormatRfc3339(event.head.time), &line);
  }
  out->append(line);
  return line.size() != sent;
}

}  // namespace attune

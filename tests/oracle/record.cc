#include "oracle/record.h"

namespace attune::oracle {
namespace {

void Member(std::string_view name, std::string_view text, std::string* json) {
  *json += *json == "{" ? "\"" : ",\"";
  *json += name;
  *json += "\":";
  AppendJsonString(text, json);
}

void Object(std::string_view name, std::string_view object, std::string* json) {
  if (object.empty()) return;
  *json += ",\"";
  *json += name;
  *json += "\":";
  *json += object;
}

std::string_view TypeText(EventKind kind) {
  switch (kind) {
    case EventKind::kTrack: return "track";
    case EventKind::kIdentify: return "identify";
    case EventKind::kGroup: return "group";
    case EventKind::kAlias: return "alias";
  }
  return "";
}

Record Base(EventKind kind, std::string_view id, std::string_view user, std::string_view name,
            Millis time) {
  Record record;
  record.kind = kind;
  record.id = id;
  record.user = user;
  record.name = name;
  record.time = time;
  record.json = "{";
  Member("type", TypeText(kind), &record.json);
  if (!name.empty()) Member("event", name, &record.json);
  Member("userId", user, &record.json);
  Member("messageId", id, &record.json);
  Member("timestamp", FormatRfc3339(time), &record.json);
  return record;
}

}  // namespace

Record Track(std::string_view id, std::string_view user, std::string_view name, Millis time,
             std::string_view properties, std::string_view context) {
  Record record = Base(EventKind::kTrack, id, user, name, time);
  Object("properties", properties, &record.json);
  Object("context", context, &record.json);
  record.json += '}';
  return record;
}

Record Fact(EventKind kind, std::string_view id, std::string_view user, Millis time,
            std::string_view traits) {
  Record record = Base(kind, id, user, "", time);
  // What the Segment spec asks of these two beside the traits.
  if (kind == EventKind::kGroup) Member("groupId", "g", &record.json);
  if (kind == EventKind::kAlias) Member("previousId", std::string(user) + "-before", &record.json);
  Object("traits", traits, &record.json);
  record.json += '}';
  return record;
}

EventHead HeadOf(const Record& record) {
  EventHead head;
  head.kind = record.kind;
  head.id = record.id;
  head.user = record.user;
  head.name = record.name;
  head.time = record.time;
  head.received = record.time;
  return head;
}

}  // namespace attune::oracle

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

Record Base(EventKind kind, std::string_view id, const Who& who, std::string_view name,
            Millis time) {
  const bool alias = kind == EventKind::kAlias;
  Record record;
  record.kind = kind;
  record.id = id;
  record.user = who.user.empty() ? who.anonymous : who.user;
  record.anonymous = who.anonymous;
  if (alias && record.anonymous.empty()) record.anonymous = record.user + "-before";
  record.name = name;
  record.time = time;
  record.json = "{";
  Member("type", TypeText(kind), &record.json);
  if (!name.empty()) Member("event", name, &record.json);
  if (!who.user.empty()) Member("userId", who.user, &record.json);
  if (!record.anonymous.empty())
    Member(alias ? "previousId" : "anonymousId", record.anonymous, &record.json);
  Member("messageId", id, &record.json);
  Member("timestamp", FormatRfc3339(time), &record.json);
  return record;
}

}  // namespace

// An event whose two ids are equal counts as anonymous.
Who WhoOf(const Record& record) {
  return record.user == record.anonymous ? Who::Anonymous(record.user)
                                         : Who(record.user, record.anonymous);
}

Record Track(std::string_view id, const Who& who, std::string_view name, Millis time,
             std::string_view properties, std::string_view context) {
  Record record = Base(EventKind::kTrack, id, who, name, time);
  Object("properties", properties, &record.json);
  Object("context", context, &record.json);
  record.json += '}';
  return record;
}

Record Fact(EventKind kind, std::string_view id, const Who& who, Millis time,
            std::string_view traits, std::string_view context) {
  Record record = Base(kind, id, who, "", time);
  if (kind == EventKind::kGroup) Member("groupId", "g", &record.json);  // required by the Segment spec
  Object("traits", traits, &record.json);
  Object("context", context, &record.json);
  record.json += '}';
  return record;
}

std::string ConsentContext(std::string_view purposes) {
  return "{\"consent\":{\"categoryPreferences\":" + std::string(purposes) + "}}";
}

EventHead HeadOf(const Record& record) {
  EventHead head;
  head.kind = record.kind;
  head.id = record.id;
  head.user = record.user;
  head.anonymous_id = record.anonymous;
  head.name = record.name;
  head.time = record.time;
  head.received = record.time;
  return head;
}

}  // namespace attune::oracle

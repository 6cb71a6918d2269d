// One line of a history as tests write it: the input of a replay, with the head already parsed.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/time.h"
#include "event/event.h"

namespace attune::oracle {

struct Record {
  EventKind kind = EventKind::kTrack;
  std::string id;
  std::string user;       // userId, else anonymousId
  std::string anonymous;  // anonymousId; of an alias previousId. May be empty
  std::string name;  // normalised; empty unless kind is kTrack
  Millis time = 0;
  std::string json;  // the event as a client sends it: one line of NDJSON for `attune replay`
};

// The ids in a record: a user, an anonymous id (of an alias: the previous id), or both.
struct Who {
  std::string user;
  std::string anonymous;

  Who(std::string user_id) : user(std::move(user_id)) {}
  Who(const char* user_id) : user(user_id) {}
  Who(std::string user_id, std::string anonymous_id)
      : user(std::move(user_id)), anonymous(std::move(anonymous_id)) {}
  static Who Anonymous(std::string id) { return Who("", std::move(id)); }
};
Who WhoOf(const Record& record);

// A track event. `properties` and `context` are JSON objects; an empty one is omitted.
Record Track(std::string_view id, const Who& who, std::string_view name, Millis time,
             std::string_view properties = {}, std::string_view context = {});

// An identify, group or alias. `traits` and `context` are JSON objects; an empty one is omitted. An alias without a
// previous id gets an unused one.
Record Fact(EventKind kind, std::string_view id, const Who& who, Millis time,
            std::string_view traits = {}, std::string_view context = {});

// The context in which a record states its user's consents: `{"email":true}`.
std::string ConsentContext(std::string_view purposes);

// The head that an engine gets with the record. Views into `record`.
EventHead HeadOf(const Record& record);

}  // namespace attune::oracle

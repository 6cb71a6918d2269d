// The naive run of a plan over a list of records in log order: the changes of membership with their instants, the
// firings, and the values at chosen instants.
//
// Each user is evaluated separately, one record after another. The user's clock is the latest instant at which the user
// was evaluated: that of a record (facts count) or of a timed change, which is an instant at which some membership
// changed without an event. (When an engine evaluates in between is not defined by the language, so it moves no clock.)
// - A record whose id was accepted before, with an event time less than `dedupe` away, is dropped without any effect:
//   the clock does not advance to it either.
// - For a record later than the clock, first every timed change before it happens, each at its own instant. Then
//   everything is evaluated at the record's instant, including the record.
// - A record at exactly the clock's instant is evaluated at it, and is not late.
// - A late record is inserted at its place in the history. Resulting differences are changes at the clock's instant,
//   marked as corrected.
// - For a tick, every timed change up to its instant happens to the users that it covers.
// - After the last record the clock advances to `until`, inclusive.
// - A stretch of time without a record of the user (up to a record, a tick, an instant of values, or the end) reports
//   its changes until there have been limits.catch_up of them, including all changes of the instant that reaches the
//   limit. The rest of the stretch passes at once: what differs at its last instant changes there, and that instant
//   becomes the user's clock.
// - A record that merges two people (see identity.h) is applied at the latest of three instants: its own and both
//   clocks. Timed changes before then happen to each of the two separately. Then the one that ends leaves its segments
//   without firings. The other has both histories, and all firings of both count for its cooldowns and caps. It is
//   evaluated at that instant, and its changes are not marked as corrected. If only one of the two has a record, only
//   the ids are merged.
// - A trigger's condition that becomes true or false, for any value of its key, is a timed change too.
// - For a merge that is undone at an instant, timed changes before then happen to the person. Then the person has the
//   records of the ids that still lead to it, and the other one is back with its own. Both are evaluated at that
//   instant, or at the person's clock or the other's latest record if that is later. Changes are not marked as
//   corrected, and nothing fires. Earlier firings of the person still count for the person; the other one has none.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "oracle/naive.h"
#include "oracle/record.h"
#include "oracle/trigger_run.h"

namespace attune::oracle {

struct Transition {
  Millis at = 0;
  std::string user;
  std::string segment;
  bool enter = false;
  bool corrected = false;
  bool operator==(const Transition&) const = default;
};
// As a line of transitions.ndjson.
std::string ToText(const Transition& transition);

// All values of one user at one instant.
struct UserValues {
  Millis at = 0;
  std::string user;
  std::map<std::string, std::string> metrics;  // as JSON, without nulls
  std::vector<std::string> segments;           // sorted
  bool operator==(const UserValues&) const = default;
};
// As a line of values.ndjson.
std::string ToText(const UserValues& values);

// An entry of the log between two records.
struct Interlude {
  enum class Kind {
    kTick,     // timed changes happen to some people: a server fires timers that are due
    kUnmerge,  // a merge is undone
  };
  size_t before = 0;  // the index of the record that it precedes
  Kind kind = Kind::kTick;
  Millis at = 0;      // of a tick: the last instant of changes; else when it was requested
  std::function<bool(const std::string& person)> of;  // of a tick: the people that it covers
  std::string id;                                     // of kUnmerge
};

struct RunResult;

// The state of a run after each step, for callers that need more than the result.
class Moment {
 public:
  virtual ~Moment() = default;
  // The result of all records and interludes so far, in order of occurrence, unsorted.
  virtual const RunResult& so_far() const = 0;
  // A person's clock; nullopt if the person has no record.
  virtual std::optional<Millis> ClockOf(const std::string& person) const = 0;
  // The values of a person at an instant that is not before the clock, with the segments that hold there.
  virtual std::optional<UserValues> ValuesOf(const std::string& person, Millis at) const = 0;
};

struct RunOptions {
  std::optional<Millis> until;  // nullopt: the latest time of any record
  // Instants of everyone's values: as known when the user's clock passed them, that is before the user's first accepted
  // record with a later time. Users without a record until then have none.
  std::vector<Millis> at;
  // Evaluates at every millisecond. Otherwise only where BoundsOver cannot exclude a change.
  bool every_millisecond = false;
  std::vector<Interlude> interludes = {};  // in the order of the log
  // Called after each record and each interlude, in the order of the log.
  std::function<void(const Moment& moment)> after = {};
};

struct RunResult {
  std::vector<Transition> transitions;  // by (at, user, segment); those of one instant in order of occurrence
  std::vector<Firing> firings;          // by (at, user, trigger, key)
  std::vector<UserValues> values;       // by (at, user)
  // The search for timed changes was given up, because an expression flickers over a long stretch. The result is then
  // meaningless.
  bool gave_up = false;
};

// Anything that runs a plan: this oracle, the engine, a binary.
using RunFn =
    std::function<RunResult(const Plan&, const std::vector<Record>&, const RunOptions&)>;

RunResult RunNaively(const Plan& plan, const std::vector<Record>& records,
                     const RunOptions& options);

// Sorts a result as RunResult documents, for callers that collect one themselves.
void SortResult(RunResult* result);

}  // namespace attune::oracle

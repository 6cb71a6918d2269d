// The naive run of a plan over a list of records in log order: the memberships that change, when,
// what fires, and the values at chosen instants.
//
// For each user alone, one record after another. The user's clock is the latest instant at which
// she was evaluated: that of a record (facts count) or of a timed change, that is an instant at
// which some membership changed by itself. (What else an engine may look at in between is no
// business of the language, so it moves no clock.)
// - A record whose id was accepted before, for an event time less than `dedupe` away, is dropped
//   and leaves no trace: the clock does not run up to it either.
// - A record later than the clock first lets every timed change before it happen, each at its own
//   instant. Then all is evaluated at the record's instant, the record included.
// - A record at the clock's very instant is evaluated at it, and is not late.
// - A late record is put in its place in the history; what differs then changes at the clock's
//   instant and is marked as corrected.
// - A tick lets every timed change up to its instant happen, to those whom it is of.
// - After the last record the clock runs to `until`, that instant included.
// - A stretch of time that passes without a record of the user's own (up to a record, a tick, an
//   instant that values are asked for, or the end) tells its changes until limits.catch_up of them
//   have been made, those of the instant that reaches it included. The rest of the stretch passes
//   at once: what is different at its last instant changes there, and that becomes the user's clock.
// - A record that merges two people (see identity.h) is seen at the latest of three instants: its
//   own and both clocks. What is timed before then happens to each of the two apart. Then the one
//   who ends leaves her segments, and nothing fires for her; the other has both histories, and all
//   firings of both count against her cooldowns and caps. She is evaluated at that instant, and
//   what changes is not marked as corrected. Where only one of the two has a record, nothing needs
//   merging but the ids.
// - A trigger's condition that becomes true or false, for any value of its key, is a timed change
//   too.
// - A merge that is undone at an instant: what is timed before then happens to the person. Then the
//   person has the records of the ids that still lead there, and the other one is back with its
//   own. Both are evaluated at that instant, or at the person's clock, the other's latest record,
//   when that is later; what changes is not marked as corrected, and nothing fires. Firings that
//   the person had still count for the person; the other one has had none.
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
// The line of transitions.ndjson.
std::string ToText(const Transition& transition);

// Everything that is known of one user at one instant.
struct UserValues {
  Millis at = 0;
  std::string user;
  std::map<std::string, std::string> metrics;  // as JSON; those that are null left out
  std::vector<std::string> segments;           // sorted
  bool operator==(const UserValues&) const = default;
};
// The line of values.ndjson.
std::string ToText(const UserValues& values);

// What the log holds between two records.
struct Interlude {
  enum class Kind {
    kTick,     // what is timed for some people happens: a server notices that their time has passed
    kUnmerge,  // a merge is undone
  };
  size_t before = 0;  // the record with this place in the list
  Kind kind = Kind::kTick;
  Millis at = 0;      // of a tick the last instant of what happens, else when it was asked for
  std::function<bool(const std::string& person)> of;  // of a tick: whose time passes
  std::string id;                                     // of kUnmerge
};

struct RunResult;

// Where a run has come to: for who wants to know more than what comes out in the end.
class Moment {
 public:
  virtual ~Moment() = default;
  // What has come of all records and interludes so far, as it came and not yet sorted.
  virtual const RunResult& so_far() const = 0;
  // A person's clock; nullopt when there is no record of theirs.
  virtual std::optional<Millis> ClockOf(const std::string& person) const = 0;
  // What is known of a person at an instant that is not before the clock, with the segments that
  // hold there.
  virtual std::optional<UserValues> ValuesOf(const std::string& person, Millis at) const = 0;
};

struct RunOptions {
  std::optional<Millis> until;  // not given: the latest time of any record
  // Instants to write everyone's values at: what was known when the user's clock passed it, so
  // before the first of her accepted records with a later time. Users without a record until then
  // have none.
  std::vector<Millis> at;
  // Evaluate at every millisecond. Otherwise only where BoundsOver cannot exclude a change.
  bool every_millisecond = false;
  std::vector<Interlude> interludes = {};  // in the order of the log
  // Called after each record and each interlude, in the order of the log.
  std::function<void(const Moment& moment)> after = {};
};

struct RunResult {
  std::vector<Transition> transitions;  // by (at, user, segment); those of one instant as they came
  std::vector<Firing> firings;          // by (at, user, trigger, key)
  std::vector<UserValues> values;       // by (at, user)
  // The search for timed changes was given up: an expression flickers over a long stretch. Such a
  // run says nothing.
  bool gave_up = false;
};

// Anything that runs a plan: this oracle, the engine, a binary.
using RunFn =
    std::function<RunResult(const Plan&, const std::vector<Record>&, const RunOptions&)>;

RunResult RunNaively(const Plan& plan, const std::vector<Record>& records,
                     const RunOptions& options);

// Puts a result into the order that RunResult promises, for those who collect it otherwise.
void SortResult(RunResult* result);

}  // namespace attune::oracle

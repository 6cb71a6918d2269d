#include "engine/sessions.h"

#include <algorithm>

namespace attune {

const Session* Sessions::OpenAt(Millis t, const SessionRules& rules) const {
  const Session* session = latest();
  return session && t - session->last <= rules.gap ? session : nullptr;
}

bool Sessions::Insert(Millis time, uint64_t id, const SessionRules& rules) {
  const bool in_order = sessions_.empty() || time >= sessions_.back().last;
  if (rules.max == kNever) {
    if (in_order) return Append(time, id, rules);
    Join(time, id, rules.gap);
    return true;
  }
  const auto place = std::upper_bound(instants_.begin(), instants_.end(), time,
                                      [](Millis t, const Instant& instant) { return t < instant.time; });
  const size_t at = static_cast<size_t>(place - instants_.begin());
  instants_.insert(place, {time, id});
  if (in_order) return Append(time, id, rules);
  Recut(at, rules);
  return true;
}

bool Sessions::Append(Millis time, uint64_t id, const SessionRules& rules) {
  if (!sessions_.empty()) {
    Session& open = sessions_.back();
    if (time - open.last <= rules.gap && (rules.max == kNever || time - open.first <= rules.max)) {
      open.last = time;
      ++open.events;
      return false;
    }
  }
  sessions_.push_back({time, time, id, 1});
  Trim(rules);
  return true;
}

// Uncut sessions: the event joins every session that it is at most a gap away from.
void Sessions::Join(Millis time, uint64_t id, Millis gap) {
  Session joined{time, time, id, 1};
  auto from = std::partition_point(sessions_.begin(), sessions_.end(), [&](const Session& s) { return s.last < time - gap; });
  auto to = from;
  for (; to != sessions_.end() && to->first <= time + gap; ++to) {
    if (to->first <= joined.first) {  // at one instant, what came first in the log stays first
      joined.first = to->first;
      joined.first_id = to->first_id;
    }
    joined.last = std::max(joined.last, to->last);
    joined.events += to->events;
  }
  from = sessions_.erase(from, to);
  sessions_.insert(from, joined);
}

// Cut sessions: the run around the inserted event is cut anew from its first event.
void Sessions::Recut(size_t inserted, const SessionRules& rules) {
  size_t begin = inserted;
  while (begin > 0 && instants_[begin].time - instants_[begin - 1].time <= rules.gap) --begin;
  size_t end = inserted + 1;
  while (end < instants_.size() && instants_[end].time - instants_[end - 1].time <= rules.gap) ++end;
  std::vector<Session> cut;
  for (size_t i = begin; i < end; ++i) {
    const auto& [time, id] = instants_[i];
    if (cut.empty() || time - cut.back().first > rules.max) {
      cut.push_back({time, time, id, 1});
    } else {
      cut.back().last = time;
      ++cut.back().events;
    }
  }
  const Millis first = instants_[begin].time;
  const Millis last = instants_[end - 1].time;
  const auto from = std::partition_point(sessions_.begin(), sessions_.end(), [&](const Session& s) { return s.first < first; });
  const auto to = std::partition_point(from, sessions_.end(), [&](const Session& s) { return s.first <= last; });
  sessions_.insert(sessions_.erase(from, to), cut.begin(), cut.end());
}

void Sessions::Trim(const SessionRules& rules) {
  // Without an expression over sessions only the profile shows one: the latest, and one before it that a late event
  // may join to it.
  const size_t keep = rules.keep_all ? rules.limit : 2;
  if (sessions_.size() > keep + keep / 8) {
    sessions_.erase(sessions_.begin(), sessions_.end() - static_cast<ptrdiff_t>(keep));
    truncated_ |= rules.keep_all;
  }
  if (instants_.size() > rules.limit + rules.limit / 8) {  // many at a time: each costs a move of all
    instants_.erase(instants_.begin(), instants_.end() - static_cast<ptrdiff_t>(rules.limit));
    truncated_ = true;
  }
}

void Sessions::Write(ByteWriter* out) const {
  out->Bool(truncated_);
  out->Varint(sessions_.size());
  for (const Session& session : sessions_) {
    out->I64(session.first);
    out->Varint(static_cast<uint64_t>(session.last - session.first));
    out->U64(session.first_id);
    out->Varint(session.events);
  }
  out->Varint(instants_.size());
  for (const Instant& instant : instants_) {
    out->I64(instant.time);
    out->U64(instant.id);
  }
}

bool Sessions::Read(ByteReader* in) {
  truncated_ = in->Bool();
  const uint64_t sessions = in->Varint();
  if (sessions > in->remaining()) return false;
  sessions_.resize(sessions);
  for (Session& session : sessions_) {
    session.first = in->I64();
    session.last = session.first + static_cast<Millis>(in->Varint());
    session.first_id = in->U64();
    session.events = static_cast<uint32_t>(in->Varint());
  }
  const uint64_t instants = in->Varint();
  if (instants > in->remaining()) return false;
  instants_.resize(instants);
  for (Instant& instant : instants_) {
    instant.time = in->I64();
    instant.id = in->U64();
  }
  return in->ok();
}

}  // namespace attune

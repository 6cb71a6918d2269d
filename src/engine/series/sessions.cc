#include "engine/series/sessions.h"

#include <algorithm>

namespace attune {

const Session* Sessions::OpenAt(Millis t, const SessionRules& rules) const {
  const Session* session = latest();
  return session && t - session->last <= rules.gap ? session : nullptr;
}

size_t Sessions::CountUpTo(Millis t) const {
  if (latest_.events > 0 && latest_.first <= t) return size();
  if (!past_) return 0;
  const auto& past = past_->sessions;
  return static_cast<size_t>(std::partition_point(past.begin(), past.end(), [&](const Session& s) { return s.first <= t; }) - past.begin());
}

bool Sessions::Insert(Millis time, uint64_t id, const SessionRules& rules) {
  const bool in_order = latest_.events == 0 || time >= latest_.last;
  if (rules.max == kNever) {
    if (in_order) return Append(time, id, rules);
    Join(time, id, rules.gap);
    return true;
  }
  auto& instants = MakePast().instants;
  const auto place = std::upper_bound(instants.begin(), instants.end(), time,
                                      [](Millis t, const Instant& instant) { return t < instant.time; });
  const size_t at = static_cast<size_t>(place - instants.begin());
  instants.insert(place, {time, id});
  if (in_order) return Append(time, id, rules);
  Recut(at, rules);
  return true;
}

bool Sessions::Append(Millis time, uint64_t id, const SessionRules& rules) {
  if (latest_.events > 0) {
    if (time - latest_.last <= rules.gap && (rules.max == kNever || time - latest_.first <= rules.max)) {
      latest_.last = time;
      ++latest_.events;
      return false;
    }
    MakePast().sessions.push_back(latest_);
  }
  latest_ = {time, time, id, 1};
  Trim(rules);
  return true;
}

template <typename Change>
void Sessions::ChangeAll(Change change) {
  auto& all = MakePast().sessions;
  all.push_back(latest_);
  change(&all);
  latest_ = all.back();
  all.pop_back();
}

// Uncut sessions: the event joins every session that it is at most a gap away from.
void Sessions::Join(Millis time, uint64_t id, Millis gap) {
  ChangeAll([&](std::vector<Session>* all) {
    Session joined{time, time, id, 1};
    auto from = std::partition_point(all->begin(), all->end(), [&](const Session& s) { return s.last < time - gap; });
    auto to = from;
    for (; to != all->end() && to->first <= time + gap; ++to) {
      if (to->first <= joined.first) {  // at one instant, the first in the log stays first
        joined.first = to->first;
        joined.first_id = to->first_id;
      }
      joined.last = std::max(joined.last, to->last);
      joined.events += to->events;
    }
    all->insert(all->erase(from, to), joined);
  });
}

// Cut sessions: the run around the inserted event is cut again from its first event.
void Sessions::Recut(size_t inserted, const SessionRules& rules) {
  const auto& instants = past_->instants;
  size_t begin = inserted;
  while (begin > 0 && instants[begin].time - instants[begin - 1].time <= rules.gap) --begin;
  size_t end = inserted + 1;
  while (end < instants.size() && instants[end].time - instants[end - 1].time <= rules.gap) ++end;
  std::vector<Session> cut;
  for (size_t i = begin; i < end; ++i) {
    const auto& [time, id] = instants[i];
    if (cut.empty() || time - cut.back().first > rules.max) {
      cut.push_back({time, time, id, 1});
    } else {
      cut.back().last = time;
      ++cut.back().events;
    }
  }
  const Millis first = instants[begin].time;
  const Millis last = instants[end - 1].time;
  ChangeAll([&](std::vector<Session>* all) {
    const auto from = std::partition_point(all->begin(), all->end(), [&](const Session& s) { return s.first < first; });
    const auto to = std::partition_point(from, all->end(), [&](const Session& s) { return s.first <= last; });
    all->insert(all->erase(from, to), cut.begin(), cut.end());
  });
}

void Sessions::Trim(const SessionRules& rules) {
  if (!past_) return;
  // Unless an expression reads sessions, only the profile shows one: the latest. The one before it is kept because a
  // late event may join the two.
  auto& [sessions, instants, truncated] = *past_;
  const size_t keep = rules.keep_all ? rules.limit : 2;
  if (sessions.size() + 1 > keep + keep / 8) {
    sessions.erase(sessions.begin(), sessions.end() - static_cast<ptrdiff_t>(keep - 1));
    truncated |= rules.keep_all;
  }
  if (instants.size() > rules.limit + rules.limit / 8) {  // in batches: each drop moves all entries
    instants.erase(instants.begin(), instants.end() - static_cast<ptrdiff_t>(rules.limit));
    truncated = true;
  }
}

size_t Sessions::MemoryBytes() const {
  return past_ ? sizeof(Past) + past_->sessions.capacity() * sizeof(Session) + past_->instants.capacity() * sizeof(Instant) : 0;
}

void Sessions::Write(ByteWriter* out) const {
  out->Bool(truncated());
  out->Varint(size());
  for (size_t i = 0; i < size(); ++i) {
    const Session& session = (*this)[i];
    out->I64(session.first);
    out->Varint(static_cast<uint64_t>(session.last - session.first));
    out->U64(session.first_id);
    out->Varint(session.events);
  }
  out->Varint(past_ ? past_->instants.size() : 0);
  if (!past_) return;
  for (const Instant& instant : past_->instants) {
    out->I64(instant.time);
    out->U64(instant.id);
  }
}

bool Sessions::Read(ByteReader* in) {
  if (in->Bool()) MakePast().truncated = true;
  const uint64_t sessions = in->Varint();
  if (sessions > in->remaining()) return false;
  for (uint64_t i = 0; i < sessions; ++i) {
    if (i > 0) MakePast().sessions.push_back(latest_);
    latest_.first = in->I64();
    latest_.last = static_cast<Millis>(static_cast<uint64_t>(latest_.first) + in->Varint());
    latest_.first_id = in->U64();
    latest_.events = static_cast<uint32_t>(in->Varint());
  }
  const uint64_t instants = in->Varint();
  if (instants > in->remaining()) return false;
  if (instants > 0) MakePast().instants.resize(instants);
  for (uint64_t i = 0; i < instants; ++i) {
    past_->instants[i].time = in->I64();
    past_->instants[i].id = in->U64();
  }
  return in->ok();
}

}  // namespace attune

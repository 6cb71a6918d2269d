#include "oracle/window.h"

#include <algorithm>

#include "oracle/naive.h"

namespace attune::oracle {
namespace {

std::optional<Millis> Anchor(const Window& window, const History& history, Millis t) {
  const Value anchor = Evaluate(*window.anchor, history, t);
  if (anchor.type() != Type::kTime) return std::nullopt;
  return anchor.time();
}

}  // namespace

std::optional<Instants> InstantsIn(const Window& window, const History& history, Millis t) {
  const LocalTime& local = history.local_time();
  switch (window.kind) {
    case Window::Kind::kEver: return Instants{kAlways, t};
    case Window::Kind::kSliding:
      return Instants{t - window.offset - window.length, t - window.offset};
    case Window::Kind::kThisHour: return Instants{local.HourStart(t) - 1, t};
    case Window::Kind::kToday: return Instants{local.DayStart(t) - 1, t};
    case Window::Kind::kThisWeek: return Instants{local.WeekStart(t) - 1, t};
    case Window::Kind::kThisMonth: return Instants{local.MonthStart(t) - 1, t};
    case Window::Kind::kRange: return Instants{window.from - 1, std::min(window.to - 1, t)};
    case Window::Kind::kAfter: {
      const auto anchor = Anchor(window, history, t);
      if (!anchor) return std::nullopt;
      return Instants{*anchor, std::min(*anchor + window.length, t)};
    }
    case Window::Kind::kSince: return Instants{Anchor(window, history, t).value_or(kAlways), t};
    case Window::Kind::kSession: case Window::Kind::kLastSession: break;
  }
  return std::nullopt;
}

std::vector<Session> SessionsAt(const History& history, Millis t) {
  const Plan& plan = history.plan();
  std::vector<Session> sessions;
  for (const Entry* entry : history.events()) {
    if (entry->time() > t) break;
    const bool goes_on = !sessions.empty() &&
                         entry->time() - sessions.back().back()->time() <= plan.session_gap &&
                         entry->time() - sessions.back().front()->time() <= plan.session_max;
    if (!goes_on) sessions.emplace_back();
    sessions.back().push_back(entry);
  }
  return sessions;
}

bool IsOpen(const Session& session, const Plan& plan, Millis t) {
  return t - session.back()->time() <= plan.session_gap;
}

bool Selects(const Selector& selector, const Entry& entry, const History& history) {
  const auto& names = selector.names;
  if (!names.empty() && std::find(names.begin(), names.end(), entry.record().name) == names.end()) {
    return false;
  }
  if (!history.IsSelectable(entry)) return false;
  if (selector.filter && !EvaluateWith(*selector.filter, history, entry.time(), &entry).IsTrue()) {
    return false;
  }
  const auto& alternatives = selector.alternatives;
  return alternatives.empty() ||
         std::any_of(alternatives.begin(), alternatives.end(), [&](const Selector& alternative) {
           return Selects(alternative, entry, history);
         });
}

Value PropertyOf(const Entry& entry, const PropertyPath& path) {
  const Value value = entry.Find(path.in_context ? "context" : "properties", path.keys);
  if (!path.is_time || value.type() != Type::kString) return value;
  const auto time = ParseRfc3339(value.string());
  return time ? Value::Time(*time) : Value();
}

Entries EventsIn(const Window& window, const History& history, Millis t) {
  if (window.kind == Window::Kind::kSession || window.kind == Window::Kind::kLastSession) {
    const std::vector<Session> sessions = SessionsAt(history, t);
    if (sessions.empty()) return {};
    const bool must_be_open = window.kind == Window::Kind::kSession;
    if (must_be_open && !IsOpen(sessions.back(), history.plan(), t)) return {};
    return sessions.back();
  }
  Entries found;
  const auto shown = InstantsIn(window, history, t);
  if (!shown) return found;
  for (const Entry* entry : history.events()) {
    if (entry->time() > shown->after && entry->time() <= shown->until) found.push_back(entry);
  }
  return found;
}

std::vector<Value> KeysAt(const PropertyPath& path, const History& history, Millis t) {
  std::vector<Value> keys;
  for (const Entry* entry : history.events()) {
    if (entry->time() > t) break;
    Value key = PropertyOf(*entry, path);
    if (key.is_null() || key.type() == Type::kList) continue;
    if (key.type() == Type::kNumber) key = Value::Number(key.number() + 0.0);  // -0 is 0
    std::erase_if(keys, [&](const Value& other) { return Identical(other, key); });
    keys.push_back(key);
  }
  return keys;
}

}  // namespace attune::oracle

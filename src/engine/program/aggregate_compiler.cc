// Aggregates: their windows, and the state that each needs.
#include <algorithm>
#include <utility>

#include "engine/program/compiler.h"

namespace attune {

AggregateSpec Compiler::Windowed(const Expression& e) {
  AggregateSpec spec;
  spec.fn = e.kind;
  spec.aggregate = e.aggregate;
  if (e.aggregate) spec.method = e.aggregate->method;
  spec.window = e.window.kind;
  spec.length = e.window.length;
  spec.offset = e.window.offset;
  spec.from = e.window.from;
  spec.to = e.window.to;
  spec.number = e.number;
  if (e.window.anchor) spec.anchor = Compile(*e.window.anchor);
  return spec;
}

uint32_t Compiler::WindowOf(const Expression& e) {
  program_->aggregates.push_back(Windowed(e));
  return static_cast<uint32_t>(program_->aggregates.size() - 1);
}

uint32_t Compiler::AddAggregate(const Expression& e, uint32_t latest) {
  AggregateSpec spec = Windowed(e);
  if (!e.aggregate->IsOverSessions()) {
    const uint32_t selector = Selector(e.selector);
    const uint32_t field = e.path.keys.empty() ? kNone : Field(e.path);
    if (const auto total = TotalKind(e)) {
      spec.total = Total({*total, selector, field, RangeFrom(e.window), RangeTo(e.window)});
      if (spec.method == Method::kAverage) {
        spec.terms = Total({TotalSpec::Kind::kTerms, selector, field, RangeFrom(e.window), RangeTo(e.window)});
      }
    } else {
      const auto [count, span] = Keep(e, latest);
      spec.series = Series(selector, field, count, span);
    }
  }
  program_->aggregates.push_back(spec);
  return static_cast<uint32_t>(program_->aggregates.size() - 1);
}

std::optional<TotalSpec::Kind> Compiler::TotalKind(const Expression& e) {
  if (e.window.kind != WindowKind::kEver && e.window.kind != WindowKind::kRange) return std::nullopt;
  return e.aggregate->total;
}

std::pair<uint32_t, Millis> Compiler::Keep(const Expression& e, uint32_t latest) {
  const Window& w = e.window;
  // In a window that ends at t, the events are the latest ones.
  const bool open_ended = w.kind != WindowKind::kAfter && w.kind != WindowKind::kRange && w.offset == 0;
  if (open_ended && e.aggregate && e.aggregate->latest_decides) return {1, 0};
  if (open_ended && latest > 0) return {latest, 0};
  if (e.aggregate && e.aggregate->method == Method::kStretches) return {0, w.length * static_cast<Millis>(e.number)};
  switch (w.kind) {
    case WindowKind::kSliding: return {0, w.length + w.offset};
    case WindowKind::kThisHour:
    case WindowKind::kToday:
    case WindowKind::kThisWeek:
    case WindowKind::kThisMonth: return {0, PeriodSpan(w.kind)};
    default: return {0, kNever};
  }
}

Millis Compiler::PeriodSpan(WindowKind kind) {
  switch (kind) {
    case WindowKind::kThisHour: return 3 * kHour;
    case WindowKind::kToday: return 3 * kDay;
    case WindowKind::kThisWeek: return 9 * kDay;
    default: return 33 * kDay;
  }
}

bool Compiler::UsesSessions(const Program& program) {
  return std::any_of(program.aggregates.begin(), program.aggregates.end(), [](const AggregateSpec& a) { return UsesSessions(a); });
}

bool Compiler::UsesSessions(const AggregateSpec& a) {
  return a.window == WindowKind::kSession || a.window == WindowKind::kLastSession || a.method == Method::kSessions;
}

}  // namespace attune

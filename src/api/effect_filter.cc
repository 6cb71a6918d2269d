#include "api/effect_filter.h"

#include <fmt/format.h>

#include <algorithm>

#include "language/nearest.h"

namespace attune {
namespace {

Error Wrong(std::string_view parameter, std::string detail) {
  return {ErrorCode::kInvalid, fmt::format("{}: {}", parameter, detail)};
}

// `a,b` is `a` and `b`; no name of a plan has a comma.
std::vector<std::string> Split(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t from = 0; from <= text.size();) {
    const size_t comma = std::min(text.find(',', from), text.size());
    parts.push_back(text.substr(from, comma - from));
    from = comma + 1;
  }
  return parts;
}

template <typename Item>
std::vector<std::string> NamesOf(const std::vector<Item>& items) {
  std::vector<std::string> names;
  for (const Item& item : items) names.push_back(item.name);
  return names;
}

bool IsOf(const std::vector<std::string>& names, std::string_view name) {
  return std::binary_search(names.begin(), names.end(), name);
}

// The values that a parameter may have, and those that it has.
struct Choice {
  const char* parameter;
  const char* what;  // for messages
  std::vector<std::string> known;
  std::vector<std::string> chosen;

  Status Take(const std::string& text) {
    for (std::string& name : Split(text)) {
      if (std::find(known.begin(), known.end(), name) == known.end()) {
        return Wrong(parameter, fmt::format("there is no {} \"{}\"{}", what, name, DidYouMean(name, known)));
      }
      chosen.push_back(std::move(name));
    }
    std::sort(chosen.begin(), chosen.end());
    return {};
  }
};

}  // namespace

Result<EffectFilter> EffectFilter::Parse(const Request& request, const Plan& plan,
                                         const std::vector<std::string>& others) {
  EffectFilter filter;
  Choice segments{"segment", "segment", NamesOf(plan.segments), {}};
  Choice triggers{"trigger", "trigger", NamesOf(plan.triggers), {}};
  Choice changes{"change", "change", {"enter", "leave"}, {}};
  Choice types{"type", "type", {"firing", "transition"}, {}};
  for (const auto& [name, value] : request.QueryParameters()) {
    Choice* choice = nullptr;
    for (Choice* one : {&segments, &triggers, &changes, &types}) {
      if (name == one->parameter) choice = one;
    }
    if (choice) {
      if (Status status = choice->Take(value); !status.ok()) return status.error();
    } else if (name == "user") {
      filter.users_.push_back(value);  // not split: ids may contain commas
    } else if (std::find(others.begin(), others.end(), name) == others.end()) {
      const std::vector<std::string> known = {"segment", "trigger", "user", "change", "type", "since"};
      return Wrong(name, "there is no such parameter" + DidYouMean(name, known));
    }
  }
  std::sort(filter.users_.begin(), filter.users_.end());
  filter.segments_ = std::move(segments.chosen);
  filter.triggers_ = std::move(triggers.chosen);
  // A filter on one type excludes the other.
  const bool of_transitions = !filter.segments_.empty() || !changes.chosen.empty();
  const bool of_firings = !filter.triggers_.empty();
  bool transitions = of_transitions || !of_firings;
  bool firings = of_firings || !of_transitions;
  if (!types.chosen.empty()) {
    transitions &= IsOf(types.chosen, "transition");
    firings &= IsOf(types.chosen, "firing");
  }
  if (!transitions && !firings) {
    return Wrong("type", of_firings ? "no transition has a trigger" : "no firing has a segment or a change");
  }
  const auto change = [&](const char* name) { return changes.chosen.empty() || IsOf(changes.chosen, name); };
  filter.kinds_[static_cast<size_t>(EffectKind::kLeave)] = transitions && change("leave");
  filter.kinds_[static_cast<size_t>(EffectKind::kEnter)] = transitions && change("enter");
  filter.kinds_[static_cast<size_t>(EffectKind::kFiring)] = firings;
  return filter;
}

bool EffectFilter::Takes(const PublishedEffect& effect) const {
  if (!kinds_[static_cast<size_t>(effect.kind)]) return false;
  const std::vector<std::string>& names = effect.kind == EffectKind::kFiring ? triggers_ : segments_;
  if (!names.empty() && !IsOf(names, effect.name)) return false;
  return users_.empty() || IsOf(users_, effect.user);
}

}  // namespace attune

#include "oracle/identity.h"

namespace attune::oracle {

std::string Identity::PersonOf(const std::string& id) const {
  std::string person = id;
  for (auto next = leads_to_.find(person); next != leads_to_.end(); next = leads_to_.find(person)) {
    person = next->second;
  }
  return person;
}

std::optional<std::string> Identity::TakeIn(const Record& record) {
  const Who who = WhoOf(record);
  if (who.user.empty()) return std::nullopt;
  const std::string person = PersonOf(who.user);
  if (MakesKnown(record)) known_.insert(person);
  const bool merges = record.kind == EventKind::kAlias || record.kind == EventKind::kIdentify;
  if (!merges || who.anonymous.empty()) return std::nullopt;
  const std::string other = PersonOf(who.anonymous);
  if (other == person || known_.contains(other) || apart_.contains({other, person})) {
    return std::nullopt;
  }
  leads_to_[other] = person;
  return other;
}

std::optional<std::string> Identity::Undo(const std::string& id) {
  if (!leads_to_.contains(id)) return std::nullopt;
  const std::string person = PersonOf(id);
  leads_to_.erase(id);
  apart_.emplace(id, person);
  apart_.emplace(person, id);
  return person;
}

void Identity::SetKnown(const std::string& person, bool known) {
  if (known) {
    known_.insert(person);
  } else {
    known_.erase(person);
  }
}

bool Identity::MakesKnown(const Record& record) {
  return record.kind != EventKind::kAlias && !WhoOf(record).user.empty();
}

}  // namespace attune::oracle

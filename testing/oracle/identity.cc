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
  if (record.kind != EventKind::kAlias) known_.insert(person);
  const bool merges = record.kind == EventKind::kAlias || record.kind == EventKind::kIdentify;
  if (!merges || who.anonymous.empty()) return std::nullopt;
  const std::string other = PersonOf(who.anonymous);
  if (other == person || known_.contains(other)) return std::nullopt;
  leads_to_[other] = person;
  return other;
}

}  // namespace attune::oracle

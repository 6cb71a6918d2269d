#include "oracle/history.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "oracle/bounds.h"
#include "oracle/naive.h"
#include "oracle/window.h"

namespace attune::oracle {

Entry::Entry(Record record, size_t position) : record_(std::move(record)), position_(position) {
  ATTUNE_CHECK(reader_.Open(record_.json).ok(), "the tests write JSON that can be read");
  reader_.ForEachLeaf("traits", [&](std::string_view name, const Value& value, std::string_view) {
    traits_[std::string(name)] = value;
  });
}

Value Entry::Find(const std::string& root, const std::vector<std::string>& keys) const {
  std::vector<std::string> path = {root};
  path.insert(path.end(), keys.begin(), keys.end());
  const auto found = found_.find(path);
  if (found != found_.end()) return found->second;
  return found_[path] = reader_.Find(root, keys);
}

History::History(const Plan& plan, std::string user, bool every_millisecond)
    : plan_(&plan),
      local_time_(plan.timezone),
      user_(std::move(user)),
      every_millisecond_(every_millisecond) {}

void History::Add(const Record& record, size_t position) {
  Insert(std::make_shared<Entry>(record, position));
}

void History::Add(const Record& record) { Add(record, owned_.size()); }

void History::AddAll(const History& other) {
  for (const auto& entry : other.owned_) Insert(entry);
}

void History::Insert(const std::shared_ptr<const Entry>& entry) {
  owned_.push_back(entry);
  notes_->found.clear();
  const auto put = [&](Entries* entries) {
    const auto later = [](const Entry* a, const Entry* b) {
      return std::make_pair(a->time(), a->position()) < std::make_pair(b->time(), b->position());
    };
    entries->insert(std::upper_bound(entries->begin(), entries->end(), entry.get(), later),
                    entry.get());
  };
  put(&records_);
  if (entry->record().kind == EventKind::kTrack) put(&events_);
  if (entry->record().kind == EventKind::kIdentify) put(&identifies_);
}

bool History::HasRecordIn(Millis after, Millis until) const {
  return std::any_of(records_.begin(), records_.end(), [&](const Entry* entry) {
    return entry->time() > after && entry->time() <= until;
  });
}

History History::Restricted(const PropertyPath& path, const Value& value) const {
  History restricted = *this;
  restricted.whole_ = &whole();
  restricted.key_ = path;
  restricted.key_value_ = value;
  return restricted;
}

bool History::IsSelectable(const Entry& entry) const {
  return !whole_ || Identical(PropertyOf(entry, key_), key_value_);
}

std::vector<History::Change> History::ChangesOf(const Segment& segment, Millis until) const {
  if (whole_) return whole_->ChangesOf(segment, until);
  if (records_.empty()) return {};
  Found& found = notes_->found[segment.name];
  Millis from = std::max(found.until, records_.front()->time() - 1) + 1;
  const auto look = [&](Millis t) {
    const bool enter = Evaluate(*segment.when, *this, t).IsTrue();
    const bool before = !found.changes.empty() && found.changes.back().enter;
    if (enter != before) found.changes.push_back({t, enter});
  };
  // Between two records only the passing of time changes anything.
  while (from <= until) {
    Millis to = until;
    for (const Entry* entry : records_) {
      if (entry->time() > from) to = std::min(to, entry->time() - 1);
    }
    Search(*segment.when, from, to, look);
    found.until = to;
    from = to + 1;
  }
  std::vector<Change> changes = found.changes;
  std::erase_if(changes, [&](const Change& change) { return change.at > until; });
  return changes;
}

void History::Search(const Expression& expression, Millis from, Millis to,
                     const std::function<void(Millis)>& fn) const {
  if (every_millisecond_) {
    for (Millis t = from; t <= to; ++t) fn(t);
    return;
  }
  if (++notes_->pieces > kMaxPieces) return;
  if (from == to || BoundsOver(expression, *this, from, to).IsExact()) return fn(from);
  const Millis middle = from + (to - from) / 2;
  Search(expression, from, middle, fn);
  Search(expression, middle + 1, to, fn);
}

Value History::KeepList(std::vector<Value> items) const {
  return Value::List(notes_->lists.emplace_back(std::move(items)));
}

}  // namespace attune::oracle

#include "cli/replay_output.h"

#include <algorithm>
#include <fstream>
#include <numeric>
#include <queue>

#include "base/check.h"
#include "base/json.h"
#include "engine/output.h"

namespace attune {
namespace {

constexpr size_t kBufferBytes = 1 << 20;

// The rank of each condition in the order of names, and the condition at each rank.
struct NameOrder {
  explicit NameOrder(const Program& program)
      : condition_at(program.conditions.size()), place_of(program.conditions.size()) {
    std::iota(condition_at.begin(), condition_at.end(), 0);
    std::sort(condition_at.begin(), condition_at.end(),
              [&](ConditionId a, ConditionId b) { return program.conditions[a].name < program.conditions[b].name; });
    for (uint32_t i = 0; i < condition_at.size(); ++i) place_of[condition_at[i]] = i;
  }
  std::vector<ConditionId> condition_at;
  std::vector<uint32_t> place_of;
};

// The parts of a transition's line around its instant and its user, extracted once from TransitionJson.
class TransitionWords {
 public:
  explicit TransitionWords(const Program& program) {
    const UserState nobody("", 0, program);
    const std::string instant = FormatRfc3339(0), user = "\"user\":\"\"";
    for (uint32_t i = 0; i < program.segment_count * 4; ++i) {
      const std::string line = TransitionJson({0, &nobody, i >> 2, (i & 2) != 0, (i & 1) != 0}, program);
      const size_t at = line.find(instant), id = line.find(user);
      ATTUNE_CHECK(at < id && id != std::string::npos, "a transition names its instant, then its user");
      head_ = line.substr(0, at);
      middle_ = line.substr(at + instant.size(), id + user.size() - 2 - (at + instant.size()));
      tails_.push_back(line.substr(id + user.size()) + '\n');
    }
  }

  // `user` is the user's id as JSON.
  void Append(Millis at, std::string_view user, uint32_t what, std::string* out) {
    if (at != last_at_ || last_.empty()) SetInstant(at);
    *out += head_;
    *out += last_;
    *out += middle_;
    *out += user;
    *out += tails_[what];
  }

 private:
  // Within one day only the time of day is rewritten.
  void SetInstant(Millis at) {
    const auto day = [](Millis t) { return (t >= 0 ? t : t - (kDay - 1)) / kDay; };
    if (last_.empty() || day(at) != day(last_at_) || last_.size() != kInstant) {
      last_ = FormatRfc3339(at);
    } else {
      Millis in_day = at - day(at) * kDay;
      for (const size_t place : {22, 21, 20}) last_[place] = Digit(&in_day, 10);
      for (const size_t place : {18, 17, 15, 14}) last_[place] = Digit(&in_day, place % 3 == 0 ? 10 : 6);
      last_[12] = Digit(&in_day, 10);
      last_[11] = Digit(&in_day, 10);
    }
    last_at_ = at;
  }
  static char Digit(Millis* left, Millis base) {
    const auto digit = static_cast<char>('0' + *left % base);
    *left /= base;
    return digit;
  }

  static constexpr size_t kInstant = 24;  // 2026-03-01T10:00:00.000Z
  std::string head_, middle_;
  std::vector<std::string> tails_;
  Millis last_at_ = 0;
  std::string last_;  // the text of last_at_
};

}  // namespace

// Merges the sorted lists of all parts. No user is in two parts, so names need not be compared.
template <typename Item, typename Append>
bool ReplayOutput::WriteMerged(const std::string& path, std::span<ReplayOutput* const> parts,
                               std::vector<Item> ReplayOutput::*list, Append append) {
  struct Head {
    const ReplayOutput* part;
    const Item* next;
    const Item* end;
    std::string_view id() const { return part->by_id_[next->user]->id(); }
    bool operator>(const Head& other) const {
      return next->at != other.next->at ? next->at > other.next->at : id() > other.id();
    }
  };
  std::priority_queue<Head, std::vector<Head>, std::greater<>> heads;
  for (const ReplayOutput* part : parts) {
    const std::vector<Item>& items = part->*list;
    if (!items.empty()) heads.push({part, items.data(), items.data() + items.size()});
  }
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  std::string buffer;
  while (!heads.empty()) {
    Head head = heads.top();
    heads.pop();
    // While this part has the next line, the others need not be compared.
    do {
      append(*head.part, *head.next++, &buffer);
      if (buffer.size() < kBufferBytes) continue;
      out.write(buffer.data(), static_cast<std::streamsize>(buffer.size()));
      buffer.clear();
    } while (head.next != head.end && (heads.empty() || heads.top() > head));
    if (head.next != head.end) heads.push(head);
  }
  out.write(buffer.data(), static_cast<std::streamsize>(buffer.size()));
  out.close();
  return out.good();
}

void ReplayOutput::Add(const Transition& t) {
  const uint32_t flags = (t.enter ? 2 : 0) | (t.corrected ? 1 : 0);
  changes_.push_back({t.at, t.user->slot, t.segment << 2 | flags});
}

void ReplayOutput::Add(TriggerFiring firing) {
  const uint32_t user = firing.user->slot;
  firings_.push_back({firing.at, user, std::move(firing)});
}

void ReplayOutput::AddValues(Millis at, const UserState& user, std::string line) {
  values_.push_back({at, user.slot, std::move(line)});
}

void ReplayOutput::Sort(const std::deque<UserState>& users) {
  for (const UserState& user : users) by_id_.push_back(&user);
  std::sort(by_id_.begin(), by_id_.end(), [](const UserState* a, const UserState* b) { return a->id() < b->id(); });
  std::vector<uint32_t> place(users.size());
  for (uint32_t i = 0; i < by_id_.size(); ++i) {
    place[by_id_[i]->slot] = i;
    json_id_begins_.push_back(json_ids_.size());
    AppendJsonString(by_id_[i]->id(), &json_ids_);
  }
  json_id_begins_.push_back(json_ids_.size());
  const auto find_places = [&](auto* items) {
    for (auto& item : *items) item.user = place[item.user];
  };
  find_places(&changes_);
  find_places(&firings_);
  find_places(&values_);
  const NameOrder names(*program_);
  std::stable_sort(changes_.begin(), changes_.end(), [&](const Change& a, const Change& b) {
    if (a.at != b.at) return a.at < b.at;
    if (a.user != b.user) return a.user < b.user;
    return names.place_of[a.what >> 2] < names.place_of[b.what >> 2];
  });
  std::stable_sort(firings_.begin(), firings_.end(), [&](const Fired& a, const Fired& b) {
    if (a.at != b.at) return a.at < b.at;
    if (a.user != b.user) return a.user < b.user;
    if (a.firing.trigger != b.firing.trigger) return names.place_of[a.firing.trigger] < names.place_of[b.firing.trigger];
    return a.firing.key < b.firing.key;
  });
  std::stable_sort(values_.begin(), values_.end(),
                   [](const Values& a, const Values& b) { return std::tie(a.at, a.user) < std::tie(b.at, b.user); });
}

std::string_view ReplayOutput::IdAsJson(uint32_t place) const {
  return std::string_view(json_ids_).substr(json_id_begins_[place],
                                            json_id_begins_[place + 1] - json_id_begins_[place]);
}

std::string ReplayOutput::Write(const std::string& dir, std::span<ReplayOutput* const> parts) {
  const Program& program = *parts.front()->program_;
  TransitionWords words(program);
  const std::string transitions = dir + "/transitions.ndjson", firings = dir + "/firings.ndjson",
                    values = dir + "/values.ndjson";
  if (!WriteMerged(transitions, parts, &ReplayOutput::changes_,
                   [&](const ReplayOutput& part, const Change& change, std::string* out) {
                     words.Append(change.at, part.IdAsJson(change.user), change.what, out);
                   })) {
    return transitions;
  }
  if (!WriteMerged(firings, parts, &ReplayOutput::firings_,
                   [&](const ReplayOutput&, const Fired& fired, std::string* out) {
                     *out += FiringJson(fired.firing, program) + '\n';
                   })) {
    return firings;
  }
  const bool written =
      WriteMerged(values, parts, &ReplayOutput::values_,
                  [](const ReplayOutput&, const Values& value, std::string* out) { *out += value.line + '\n'; });
  return written ? "" : values;
}

}  // namespace attune

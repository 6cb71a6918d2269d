#include "simulator/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace attune::simulate {
namespace {

using oracle::Random;
using oracle::Who;

class Links {
 public:
  Links(Random* random, Millis first, Millis last) : random_(*random), first_(first), last_(std::max(last, first + 1)) {}

  void Draw() {
    switch (random_.Below(4)) {
      case 0: return Star();
      case 1: return Shared();
      case 2: return Chain();
      default: return Tangle();
    }
  }
  std::vector<oracle::Record> Take() { return std::move(records_); }

 private:
  std::string NewId(std::string_view kind) { return fmt::format("{}{}", kind, ++ids_); }

  // Time goes on with the records, give or take.
  Millis Time() {
    if (random_.Percent(15)) return first_ + random_.Below(last_ - first_ + 1);
    const auto steps = static_cast<Millis>(records_.size());
    return std::min(last_, first_ + (last_ - first_) * steps / kMostRecords + random_.Below(3));
  }

  std::string MessageId() {
    if (!records_.empty() && random_.Percent(4)) return random_.Pick(records_).id;
    return fmt::format("l{}", records_.size());
  }

  void Events(const Who& who, int64_t most) {
    for (int64_t count = random_.From(0, most); count > 0; --count) {
      const auto name = random_.Pick<std::string>({"a", "a", "b", "c"});
      const auto properties = random_.Pick<std::string>({"", R"({"n":1,"k":"x"})", R"({"n":5,"s":"X"})", R"({"q":2,"k":2})"});
      records_.push_back(oracle::Track(MessageId(), who, name, Time(), properties));
    }
  }

  void Link(const std::string& user, const std::string& other) {
    const EventKind kind = random_.Percent(60) ? EventKind::kIdentify : EventKind::kAlias;
    const auto traits = random_.Pick<std::string>({"", "", R"({"plan":"X"})", R"({"vip":true})"});
    records_.push_back(oracle::Fact(kind, MessageId(), {user, other}, Time(), traits));
  }

  void Star() {
    const std::string user = NewId("v");
    for (int64_t count = random_.From(2, 6); count > 0; --count) {
      const std::string device = NewId("d");
      Events(Who::Anonymous(device), 3);
      if (random_.Percent(50)) Events(user, 2);
      Link(user, device);
      Events(Who::Anonymous(device), 2);
    }
  }

  void Shared() {
    const std::string device = NewId("d");
    Events(Who::Anonymous(device), 3);
    for (int64_t count = random_.From(2, 5); count > 0; --count) {
      const std::string user = NewId("v");
      if (random_.Percent(40)) Events(user, 2);
      Link(user, device);
      Events(Who::Anonymous(device), 1);
    }
  }

  void Chain() {
    std::string last = NewId("d");
    Events(Who::Anonymous(last), 3);
    for (int64_t count = random_.From(2, 6); count > 0; --count) {
      const std::string next = NewId("v");
      // What carries it as a user makes it known, and ends the chain.
      if (random_.Percent(20)) Events(next, 1);
      if (random_.Percent(30)) Events(Who::Anonymous(next), 2);
      records_.push_back(oracle::Fact(EventKind::kAlias, MessageId(), {next, last}, Time()));
      Events(Who::Anonymous(last), 1);
      last = next;
    }
  }

  void Tangle() {
    std::vector<std::string> ids;
    for (int64_t count = random_.From(3, 6); count > 0; --count) ids.push_back(NewId("t"));
    for (int64_t count = random_.From(3, 8); count > 0; --count) {
      const std::string& user = random_.Pick(ids);
      Events(Who::Anonymous(random_.Pick(ids)), 2);
      if (random_.Percent(15)) Events(random_.Pick(ids), 1);
      Link(user, random_.Pick(ids));
    }
  }

  static constexpr Millis kMostRecords = 80;
  Random& random_;
  const Millis first_, last_;
  int ids_ = 0;
  std::vector<oracle::Record> records_;
};

// Two lists as one, each in its order.
std::vector<oracle::Record> Shuffled(std::vector<oracle::Record> a, std::vector<oracle::Record> b, Random* random) {
  std::vector<oracle::Record> both;
  auto left = a.begin(), right = b.begin();
  while (left != a.end() || right != b.end()) {
    const auto from_left = a.end() - left, from_right = b.end() - right;
    both.push_back(std::move(random->Below(from_left + from_right) < from_left ? *left++ : *right++));
  }
  return both;
}

class CrowdMaker {
 public:
  CrowdMaker(Crowd* crowd, Random* random) : crowd_(*crowd), random_(*random), size_(random->From(60, 120)) {}

  void Make() {
    switch (crowd_.kind) {
      case Crowd::Kind::kShared: return Shared();
      case Crowd::Kind::kStar: return Star(size_);
      case Crowd::Kind::kChain: return Chain();
      case Crowd::Kind::kLong:
        for (int64_t i = 5 * size_; i > 0; --i) Event("v");
        return Star(size_ / 4);
      case Crowd::Kind::kParting:
        Star(size_ / 2);
        for (int64_t i = 1; i <= size_ / 2; ++i) crowd_.unmerged.push_back(Device(i));
    }
  }

 private:
  static std::string Device(int64_t i) { return fmt::format("d{}", i); }
  std::string Id() const { return fmt::format("e{}", crowd_.records.size()); }
  Millis Time() const { return *ParseRfc3339("2026-03-01T00:00:00Z") + static_cast<Millis>(crowd_.records.size()) * kSecond; }
  void Event(const Who& who) { crowd_.records.push_back(oracle::Track(Id(), who, "a", Time())); }
  void Link(EventKind kind, const std::string& user, const std::string& other) {
    crowd_.records.push_back(oracle::Fact(kind, Id(), {user, other}, Time()));
  }

  void Shared() {
    Event(Who::Anonymous("d"));
    for (int64_t i = 1; i <= size_; ++i) Link(EventKind::kIdentify, fmt::format("v{}", i), "d");
  }
  void Star(int64_t devices) {
    for (int64_t i = 1; i <= devices; ++i) {
      Event(Who::Anonymous(Device(i)));
      Link(EventKind::kIdentify, "v", Device(i));
    }
  }
  void Chain() {
    for (int64_t i = 1; i <= size_; ++i) {
      Event(Who::Anonymous(Device(i)));
      Link(EventKind::kAlias, Device(i + 1), Device(i));
    }
  }

  Crowd& crowd_;
  Random& random_;
  const int64_t size_;
};

}  // namespace

oracle::Case DrawCase(uint64_t seed) {
  oracle::CaseOptions options;
  options.scale = seed % 2 == 0 ? oracle::Scale::kSeconds : oracle::Scale::kDays;
  options.features = oracle::Features::All();
  return oracle::Generate(seed, options);
}

void AddLinks(Random* random, std::vector<oracle::Record>* records) {
  Millis first = kNever, last = kAlways;
  for (const oracle::Record& record : *records) {
    first = std::min(first, record.time);
    last = std::max(last, record.time);
  }
  Links links(random, first, last);
  for (int64_t count = random->From(1, 3); count > 0; --count) links.Draw();
  *records = Shuffled(std::move(*records), links.Take(), random);
}

Crowd DrawCrowd(uint64_t seed, Random* random) {
  Crowd crowd;
  crowd.kind = static_cast<Crowd::Kind>(seed % 5);
  crowd.plan = R"(metrics:
  m0: 'count(any)'
  m1: 'last_time(a)'
segments:
  s0: {when: 'count(a) >= 2'}
  s1: {when: 'count(a[10s]) >= 1'}
)";
  CrowdMaker(&crowd, random).Make();
  return crowd;
}

std::vector<std::string> IdsOf(const std::vector<oracle::Record>& records) {
  std::vector<std::string> ids;
  for (const oracle::Record& record : records) {
    ids.push_back(record.user);
    if (!record.anonymous.empty()) ids.push_back(record.anonymous);
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace attune::simulate

// Compares sequences with a search through all choices of events, and has a few cases by hand. ATTUNE_SEQUENCE_CASES is
// the number of random cases of each test, ATTUNE_SEQUENCE_SEED the first seed. A failure prints its seed.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>

#include "engine/sequence/sequence_state.h"

namespace attune {
namespace {

using Kind = SequenceQuery::Kind;

uint64_t Setting(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

class Random {  // SplitMix64
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  int Below(int n) { return static_cast<int>(Next() % static_cast<uint64_t>(n)); }
  int From(int least, int most) { return least + Below(most - least + 1); }
  bool Percent(int chance) { return Below(100) < chance; }

 private:
  uint64_t state_;
};

constexpr int kFields = 2;

struct Event {
  Millis time = 0;
  std::set<uint32_t> selectors;
  int keys[kFields] = {0, 0};  // 0: the event has no such property
};

Value KeyValue(int key) {
  switch (key) {
    case 0: return Value();
    case 1: return Value::String("a text that is a key");
    case 2: return Value::Number(2);
    case 3: return Value::Bool(true);
    default: return Value::Number(0.5 + key);
  }
}

struct Restriction {
  int field = -1;  // -1: none
  int key = 0;
};

// The meaning of a sequence, implemented directly from its definition.
class Naive {
 public:
  Naive(const SequenceSpec& spec, const std::vector<Event>& history, Millis low, Millis high, Restriction only)
      : spec_(spec), history_(history), low_(low), high_(high), only_(only) {}

  double Value(Kind kind) {
    if (kind == Kind::kMatches) return Matches();
    int deepest = 0;
    for (size_t i = 0; i < history_.size(); ++i) Walk(i, 0, -1, [&](size_t, int depth) { deepest = std::max(deepest, depth); });
    if (kind == Kind::kDepth) return deepest;
    return deepest == static_cast<int>(spec_.steps.size()) ? 1 : 0;
  }

 private:
  bool Seen(size_t i) const {
    const Event& e = history_[i];
    return e.time > low_ && e.time <= high_ && e.time >= spec_.from && e.time < spec_.to;
  }
  bool Selected(size_t i, uint32_t selector) const {
    const Event& e = history_[i];
    return e.selectors.contains(selector) && (only_.field < 0 || e.keys[only_.field] == only_.key);
  }
  int KeyOf(size_t i) const { return spec_.by ? history_[i].keys[*spec_.by] : -1; }

  bool Follows(size_t before, size_t i, size_t k) const {
    const auto& step = spec_.steps[k];
    if (step.next && i != before + 1) return false;
    if (step.within != kNever && history_[i].time - history_[before].time > step.within) return false;
    for (size_t j = before + 1; j < i; ++j) {
      for (const uint32_t x : step.nots) {
        if (Selected(j, x) && KeyOf(j) == KeyOf(i)) return false;
      }
    }
    return true;
  }

  // Calls reached(event, steps so far) for every run in which event i is step k, after `before`.
  template <typename Fn>
  void Walk(size_t i, size_t k, int before, const Fn& reached) const {
    if (!Seen(i) || !Selected(i, spec_.steps[k].selector) || KeyOf(i) == 0) return;
    if (k > 0) {
      const auto b = static_cast<size_t>(before);
      if (KeyOf(i) != KeyOf(b) || !Follows(b, i, k)) return;
    }
    reached(i, static_cast<int>(k) + 1);
    if (k + 1 == spec_.steps.size()) return;
    for (size_t j = i + 1; j < history_.size(); ++j) Walk(j, k + 1, static_cast<int>(i), reached);
  }

  double Matches() const {
    double count = 0;
    for (size_t from = 0;;) {
      size_t first_end = history_.size();
      for (size_t i = from; i < history_.size(); ++i) {
        Walk(i, 0, -1, [&](size_t end, int depth) {
          if (depth == static_cast<int>(spec_.steps.size())) first_end = std::min(first_end, end);
        });
      }
      if (first_end == history_.size()) return count;
      ++count;
      from = first_end + 1;
    }
  }

  const SequenceSpec& spec_;
  const std::vector<Event>& history_;
  Millis low_, high_;
  Restriction only_;
};

std::string ToText(const SequenceSpec& spec) {
  std::string text = spec.tally ? "tally(" : "sequence(";
  for (const auto& step : spec.steps) {
    if (&step != &spec.steps.front()) text += step.next ? " => " : " -> ";
    for (const uint32_t x : step.nots) text += "not " + std::to_string(x) + " -> ";
    text += std::to_string(step.selector);
    if (step.within != kNever) text += " within " + std::to_string(step.within);
  }
  if (spec.by) text += " by " + std::to_string(*spec.by);
  text += ")";
  if (spec.from != kAlways) text += "[" + std::to_string(spec.from) + " .. " + std::to_string(spec.to) + "]";
  return text;
}

std::string ToText(const std::vector<Event>& history) {
  std::string text;
  for (const Event& e : history) {
    text += "\n  " + std::to_string(e.time) + ":";
    for (const uint32_t s : e.selectors) text += " " + std::to_string(s);
    text += " keys " + std::to_string(e.keys[0]) + " " + std::to_string(e.keys[1]);
  }
  return text;
}

struct Shape {
  int selectors = 4;
  int steps = 4;
  int events = 9;
  int span = 24;      // of the events' times
  int late = 30;      // per cent
  size_t limit = 1000;
  Millis keep = kNever;
  int other = 0;      // unused sequences, which shift the numbers of the others
  int queries = 4;
  int keys = 3;
  int next = 30;      // per cent of the sequences that may have `=>`
};

SequenceSpec RandomSpec(Random* random, const Shape& shape) {
  SequenceSpec spec;
  const int steps = random->From(1, shape.steps);
  const bool many_nots = random->Percent(40);
  const bool many_next = random->Percent(shape.next);
  for (int k = 0; k < steps; ++k) {
    SequenceSpec::Step step;
    step.selector = static_cast<uint32_t>(random->Below(shape.selectors));
    if (k > 0) {
      step.next = many_next && random->Percent(50);
      if (!step.next && many_nots) {
        for (int n = random->Below(3); n > 0; --n) step.nots.push_back(static_cast<uint32_t>(random->Below(shape.selectors)));
      }
      if (random->Percent(30)) step.within = random->Below(8);
    }
    spec.steps.push_back(step);
  }
  if (random->Percent(40)) spec.by = static_cast<uint32_t>(random->Below(kFields));
  return spec;
}

// One user with several queries over sequences, and their expected values.
class Case {
 public:
  Case(uint64_t seed, const Shape& shape) : seed_(seed), shape_(shape), random_(seed) {
    std::vector<uint32_t> all_fields;
    for (uint32_t f = 0; f < kFields; ++f) all_fields.push_back(f);
    for (int i = 0; i < shape.other; ++i) {
      SequenceSpec other;
      for (int k = random_.From(1, 3); k > 0; --k) {
        other.steps.push_back({static_cast<uint32_t>(100 + random_.Below(200)), false, kNever, {}});
      }
      program_.AddQuery({program_.Add(other, kNever), Kind::kHolds});
    }
    for (int i = 0; i < shape.queries; ++i) {
      SequenceSpec spec = specs_.empty() || random_.Percent(70) ? RandomSpec(&random_, shape) : specs_.back();
      if (shape.keep == kNever && random_.Percent(15)) {
        spec.from = random_.Below(shape.span);
        spec.to = spec.from + random_.Below(shape.span);
      }
      auto kind = static_cast<Kind>(random_.Below(3));
      spec.tally = shape.keep == kNever && random_.Percent(20);
      if (spec.tally) kind = Kind::kMatches;
      specs_.push_back(spec);
      queries_.push_back(program_.AddQuery({program_.Add(spec, shape.keep, all_fields), kind}));
      kinds_.push_back(kind);
    }
    program_.Link(300, shape.limit);
  }
  ~Case() {
    state_->ReleaseTexts(program_, &interner_);
    EXPECT_EQ(interner_.size(), 0u) << "seed " << seed_ << ": a text is still in use";
  }

  // Stops at the first difference.
  void Run() {
    Millis clock = 0;
    for (int i = 0; i < shape_.events && !failed_; ++i) {
      Event event;
      clock += random_.Below(std::max(2, 2 * shape_.span / shape_.events));
      event.time = random_.Percent(shape_.late) ? std::max<Millis>(0, clock - random_.Below(shape_.span)) : clock;
      for (uint32_t s = 0; s < static_cast<uint32_t>(shape_.selectors); ++s) {
        if (random_.Percent(35)) event.selectors.insert(s);
      }
      if (shape_.other > 0) event.selectors.insert(static_cast<uint32_t>(100 + random_.Below(200)));
      for (int& key : event.keys) key = random_.Below(shape_.keys + 1);
      TakeIn(event);
      for (size_t q = 0; q < queries_.size() && !failed_; ++q) {
        for (int n = 0; n < 2 && !failed_; ++n) Check(q);
      }
      if (random_.Percent(10)) Reload();
    }
  }
  bool failed() const { return failed_; }
  bool any_incomplete() const { return any_incomplete_; }

 private:
  void TakeIn(const Event& event) {
    const auto later = [](Millis t, const Event& e) { return t < e.time; };
    const auto place = std::upper_bound(history_.begin(), history_.end(), event.time, later);
    history_.insert(place, event);
    const std::vector<uint32_t> selectors(event.selectors.begin(), event.selectors.end());
    bool concerned = program_.every_event();
    for (const uint32_t s : selectors) concerned |= program_.MarkOf(s) != SequenceProgram::kNoMark;
    const Value fields[kFields] = {KeyValue(event.keys[0]), KeyValue(event.keys[1])};
    if (concerned) state_->TakeIn(program_, event.time, selectors, fields, &interner_);
  }

  // Writes the state, and continues with what is read back.
  void Reload() {
    ByteWriter out;
    state_->Write(program_, interner_, &out);
    auto copy = std::make_unique<SequenceState>();
    ByteReader in(out.view());
    const bool read = copy->Read(program_, &interner_, &in) && in.done();
    ByteWriter again;
    copy->Write(program_, interner_, &again);
    if (!read || again.view() != out.view()) Fail("what was written reads as something else");
    state_->ReleaseTexts(program_, &interner_);
    state_ = std::move(copy);
  }

  SequenceReading Read(size_t q, Millis low, Millis high, Restriction only) {
    if (only.field < 0) return state_->Read(program_, queries_[q], low, high);
    const Stored value = Stored::Acquire(KeyValue(only.key), &interner_);
    const StepRestriction restriction{program_.ColumnOf(static_cast<uint32_t>(only.field)), value};
    const SequenceReading reading = state_->ReadRestricted(program_, queries_[q], low, high, restriction);
    value.Release(&interner_);
    return reading;
  }
  double Expected(size_t q, Millis low, Millis high, Restriction only) {
    return Naive(specs_[q], history_, low, high, only).Value(kinds_[q]);
  }

  void Check(size_t q) {
    const Millis now = history_.back().time + random_.Below(4);
    Restriction only;
    if (random_.Percent(15)) only = {random_.Below(kFields), random_.From(1, shape_.keys)};
    if (specs_[q].tally || specs_[q].from != kAlways) {
      CheckWindow(q, kAlways, kNever, only);
    } else if (shape_.keep != kNever || random_.Percent(50)) {
      CheckSliding(q, now, only);
    } else {
      const Millis low = random_.Percent(20) ? kAlways : random_.From(-1, shape_.span);
      const Millis high = std::max<Millis>(low, 0) + random_.Below(shape_.span);
      CheckWindow(q, low, random_.Percent(40) ? kNever : high, only);
    }
  }

  // Reads a fixed window, and other windows for which the reading claims the same value.
  void CheckWindow(size_t q, Millis low, Millis high, Restriction only) {
    const SequenceReading reading = Read(q, low, high, only);
    if (!Agrees(q, reading, low, high, only, "reads")) return;
    if (specs_[q].tally || specs_[q].from != kAlways) return;
    const bool low_within = low >= reading.low_from && low < reading.low_to;
    const bool high_within = high >= reading.high_from && (high < reading.high_to || high == kNever);
    if (!low_within || !high_within) {
      return Fail("the window is not among those it stands for: " + Window(q, low, high, only));
    }
    const Millis l = Among(reading.low_from, reading.low_to);
    const Millis h = high == kNever ? kNever : Among(reading.high_from, reading.high_to);
    if (h >= l) Agrees(q, reading, l, h, only, "is said to stay");
  }
  Millis Among(Millis from, Millis to) {
    from = std::max<Millis>(from, -5);
    to = std::min<Millis>(to, 2 * shape_.span);
    return to <= from ? from : from + random_.Below(static_cast<int>(to - from));
  }

  // Reads a window that slides with t: its value at t, and until when it lasts.
  void CheckSliding(size_t q, Millis t, Restriction only) {
    Millis length = random_.From(1, shape_.span);
    Millis offset = random_.Percent(50) ? 0 : random_.From(1, shape_.span / 2);
    if (shape_.keep != kNever) {
      length = random_.From(1, static_cast<int>(shape_.keep));
      offset = offset == 0 ? 0 : random_.Below(static_cast<int>(shape_.keep - length + 1));
    }
    const auto high = [&](Millis at) { return offset == 0 ? kNever : at - offset; };
    const SequenceReading reading = Read(q, t - offset - length, high(t), only);
    const bool agrees = Agrees(q, reading, t - offset - length, high(t), only, "reads");
    if (!agrees || reading.incomplete) return;
    Millis until = reading.low_to == kNever ? kNever : reading.low_to + length + offset;
    if (offset > 0 && reading.high_to != kNever) until = std::min(until, reading.high_to + offset);
    if (until <= t) return Fail("until is not after t: " + Window(q, t - offset - length, high(t), only));
    const std::string stays = "is said to stay until " + std::to_string(until) + " at " + std::to_string(t);
    for (Millis at = t; at < std::min(until, t + 2 * shape_.span); at += random_.From(1, 3)) {
      if (!Agrees(q, reading, at - offset - length, high(at), only, stays)) return;
    }
    if (until == kNever || offset > 0 || kinds_[q] == Kind::kMatches) return;
    if (Expected(q, until - length, kNever, only) == reading.value) Fail("until is too early: " + Window(q, t - length, kNever, only));
  }

  bool Agrees(size_t q, const SequenceReading& reading, Millis low, Millis high, Restriction only, const std::string& what) {
    any_incomplete_ |= reading.incomplete;
    if (reading.incomplete) {
      if (shape_.limit >= 1000) Fail("nothing was dropped");
      return !failed_;
    }
    const double expected = Expected(q, low, high, only);
    if (reading.value == expected) return true;
    Fail(Window(q, low, high, only) + " " + what + " " + std::to_string(reading.value) + ", expected " +
         std::to_string(expected));
    return false;
  }

  std::string Window(size_t q, Millis low, Millis high, Restriction only) const {
    std::string text = ToText(specs_[q]) + " kind " + std::to_string(static_cast<int>(kinds_[q]));
    text += " (" + std::to_string(low) + ", " + std::to_string(high) + "]";
    if (only.field >= 0) text += " only " + std::to_string(only.field) + " = " + std::to_string(only.key);
    return text;
  }
  void Fail(const std::string& why) {
    if (!failed_) ADD_FAILURE() << "seed " << seed_ << ": " << why << ToText(history_);
    failed_ = true;
  }

  uint64_t seed_;
  Shape shape_;
  Random random_;
  SequenceProgram program_;
  std::vector<SequenceSpec> specs_;
  std::vector<uint32_t> queries_;
  std::vector<Kind> kinds_;
  Interner interner_;
  std::unique_ptr<SequenceState> state_ = std::make_unique<SequenceState>();
  std::vector<Event> history_;
  bool failed_ = false;
  bool any_incomplete_ = false;
};

// Returns the number of cases that reached a limit.
uint64_t RunCases(uint64_t cases, const Shape& shape) {
  const uint64_t first = Setting("ATTUNE_SEQUENCE_SEED", 1);
  cases = Setting("ATTUNE_SEQUENCE_CASES", cases);
  uint64_t incomplete = 0;
  for (uint64_t seed = first; seed < first + cases; ++seed) {
    Case one(seed, shape);
    one.Run();
    if (one.failed()) return incomplete;
    incomplete += one.any_incomplete() ? 1 : 0;
  }
  return incomplete;
}

TEST(Sequence, AgreesWithASearch) { RunCases(5'000, {}); }

TEST(Sequence, AgreesInOrder) {
  Shape shape;
  shape.late = 0;
  RunCases(2'500, shape);
}

TEST(Sequence, AgreesAtCollidingInstants) {
  Shape shape;
  shape.span = 5;
  RunCases(2'500, shape);
}

TEST(Sequence, AgreesAmongManySelectors) {
  Shape shape;
  shape.other = 60;
  shape.events = 12;
  RunCases(600, shape);
}

TEST(Sequence, AgreesWhenOldEventsAreForgotten) {
  Shape shape;
  shape.steps = 3;
  shape.events = 40;
  shape.span = 60;
  shape.keep = 15;
  shape.queries = 2;
  EXPECT_EQ(RunCases(300, shape), 0u);
}

TEST(Sequence, AgreesWhenOldKeysAreForgotten) {
  Shape shape;
  shape.steps = 2;
  shape.events = 60;
  shape.span = 40;
  shape.keep = 12;
  shape.queries = 2;
  shape.keys = 20;
  EXPECT_EQ(RunCases(200, shape), 0u);
}

TEST(Sequence, SaysWhatTheLimitOfKeysTouches) {
  Shape shape;
  shape.steps = 3;
  shape.events = 30;
  shape.span = 60;
  shape.limit = 6;
  shape.keys = 20;
  EXPECT_GT(RunCases(300, shape), 100u);
}

TEST(Sequence, SaysWhatTheLimitTouches) {
  Shape shape;
  shape.steps = 3;
  shape.events = 30;
  shape.span = 60;
  shape.limit = 6;
  shape.next = 60;
  EXPECT_GT(RunCases(300, shape), 100u);
}

// --- by hand ---

// One sequence of the steps a b c … (selectors 0, 1, 2 …). Each letter of an event's name is a selector that matches
// it.
class Hand {
 public:
  explicit Hand(const SequenceSpec& spec, Kind kind = Kind::kHolds, size_t limit = 1000, Millis keep = kNever) {
    query_ = program_.AddQuery({program_.Add(spec, keep), kind});
    program_.Link(26, limit);
  }
  ~Hand() { state_.ReleaseTexts(program_, &interner_); }

  Hand& Add(Millis time, const std::string& letters, attune::Value key = {}) {
    std::vector<uint32_t> selectors;
    for (const char letter : letters) selectors.push_back(static_cast<uint32_t>(letter - 'a'));
    state_.TakeIn(program_, time, selectors, {&key, 1}, &interner_);
    return *this;
  }
  double Value(Millis low = kAlways, Millis high = kNever) { return Read(low, high).value; }
  SequenceReading Read(Millis low, Millis high = kNever) { return state_.Read(program_, query_, low, high); }
  const SequenceState& state() const { return state_; }
  size_t MemoryBytes() const { return state_.MemoryBytes(program_); }
  size_t texts() const { return interner_.size(); }

 private:
  SequenceProgram program_;
  uint32_t query_ = 0;
  Interner interner_;
  SequenceState state_;
};

SequenceSpec Steps(const std::string& letters) {
  SequenceSpec spec;
  for (const char letter : letters) spec.steps.push_back({static_cast<uint32_t>(letter - 'a'), false, kNever, {}});
  return spec;
}

TEST(SequenceByHand, LapsesWhenItsLatestStartLeaves) {
  Hand hand(Steps("ab"));
  hand.Add(10, "a").Add(20, "a").Add(30, "b");
  EXPECT_EQ(hand.Value(19), 1);
  EXPECT_EQ(hand.Value(20), 0);
  EXPECT_EQ(hand.Read(5).low_to, 20);
  EXPECT_EQ(hand.Read(20).low_to, kNever);
}

TEST(SequenceByHand, WithinIncludesItsLength) {
  SequenceSpec spec = Steps("ab");
  spec.steps[1].within = 10;
  EXPECT_EQ(Hand(spec).Add(0, "a").Add(10, "b").Value(), 1);
  EXPECT_EQ(Hand(spec).Add(0, "a").Add(11, "b").Value(), 0);
}

TEST(SequenceByHand, NextIsTheVeryNextOfAnyKey) {
  SequenceSpec spec = Steps("ab");
  spec.steps[1].next = true;
  EXPECT_EQ(Hand(spec).Add(0, "a").Add(0, "b").Value(), 1);
  EXPECT_EQ(Hand(spec).Add(0, "a").Add(1, "").Add(2, "b").Value(), 0);
  EXPECT_EQ(Hand(spec).Add(0, "a").Add(2, "b").Add(1, "").Value(), 0) << "a late event comes between";
  EXPECT_EQ(Hand(spec).Add(0, "a").Add(2, "b").Add(2, "").Value(), 1) << "at one instant it comes behind";
  spec.by = 0;
  const Value one = Value::Number(1), two = Value::Number(2);
  EXPECT_EQ(Hand(spec).Add(0, "a", one).Add(1, "b", one).Value(), 1);
  EXPECT_EQ(Hand(spec).Add(0, "a", one).Add(1, "a", two).Add(2, "b", one).Value(), 0);
}

TEST(SequenceByHand, NotForbidsWhatLiesBetween) {
  SequenceSpec spec = Steps("ab");
  spec.steps[1].nots = {23};
  EXPECT_EQ(Hand(spec).Add(0, "a").Add(1, "x").Add(2, "b").Value(), 0);
  EXPECT_EQ(Hand(spec).Add(0, "ax").Add(2, "bx").Value(), 1) << "the neighbours themselves may be one";
  EXPECT_EQ(Hand(spec).Add(0, "a").Add(2, "b").Add(1, "x").Value(), 0) << "late";
  EXPECT_EQ(Hand(spec).Add(0, "a").Add(1, "x").Add(2, "a").Add(3, "b").Value(), 1);
  spec.by = 0;
  EXPECT_EQ(Hand(spec).Add(0, "a", Value::Number(1)).Add(1, "x", Value::Number(2)).Add(2, "b", Value::Number(1)).Value(), 1);
}

TEST(SequenceByHand, DepthOutlivesANot) {
  SequenceSpec spec = Steps("abc");
  spec.steps[2].nots = {23};
  Hand hand(spec, Kind::kDepth);
  hand.Add(0, "a").Add(1, "b").Add(2, "x").Add(3, "c");
  EXPECT_EQ(hand.Value(), 2);
  EXPECT_EQ(hand.Value(0), 0);
}

TEST(SequenceByHand, MatchesDoNotOverlap) {
  Hand hand(Steps("aa"), Kind::kMatches);
  hand.Add(0, "a").Add(1, "a").Add(2, "a").Add(3, "a").Add(4, "a");
  EXPECT_EQ(hand.Value(), 2);
  EXPECT_EQ(hand.Value(1), 1);
  EXPECT_EQ(hand.Value(-1, 2), 1);
}

TEST(SequenceByHand, AnOldStartSurvivesTheLimit) {
  Hand hand(Steps("ab"), Kind::kHolds, 10);
  hand.Add(0, "a");
  for (Millis t = 1; t <= 100; ++t) hand.Add(t, "a");
  hand.Add(200, "b").Add(150, "a");
  EXPECT_EQ(hand.Value(149), 1);
  EXPECT_FALSE(hand.Read(149).incomplete);
  hand.Add(50, "a");
  EXPECT_FALSE(hand.Read(149).incomplete);
  EXPECT_TRUE(hand.Read(50).incomplete) << "an event older than what was dropped came after it";
}

TEST(SequenceByHand, KeysAreKnownAsLongAsAWindowSeesThem) {
  SequenceSpec spec = Steps("ab");
  spec.by = 0;
  Hand hand(spec, Kind::kHolds, 1000, 100);
  hand.Add(49, "a", Value::Number(-2)).Add(50, "a", Value::Number(-1));
  for (int i = 0; i < 40; ++i) hand.Add(149, "a", Value::Number(i));
  hand.Add(149, "b", Value::Number(-2));
  EXPECT_EQ(hand.Value(49), 0);
  hand.Add(149, "b", Value::Number(-1));
  EXPECT_EQ(hand.Value(49), 1);
}

TEST(SequenceByHand, StateDoesNotGrowWithOpenMatches) {
  SequenceSpec spec = Steps("abc");
  Hand plain(spec, Kind::kHolds, 100);
  spec.by = 0;
  Hand keyed(spec, Kind::kHolds, 100);
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = "cart " + std::to_string(i);
    plain.Add(i, "a");
    keyed.Add(i, "a", Value::String(key));
  }
  EXPECT_LE(plain.state().history().size(), 113u);
  EXPECT_LE(plain.MemoryBytes(), 100u * 9 * 2 + 500);
  EXPECT_LE(keyed.MemoryBytes(), 100u * (17 * 2 + 2 * 2 * (8 + 48 + 17)) + 1500) << "rows, and keys of what is kept and dropped";
  EXPECT_LE(keyed.texts(), 340u);
  EXPECT_TRUE(keyed.Read(kAlways).incomplete);
  EXPECT_FALSE(keyed.Read(19'950).incomplete);
}

}  // namespace
}  // namespace attune

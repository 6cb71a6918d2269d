#include "simulator/judge.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "simulator/oracle_run.h"

namespace attune::simulate {
namespace {

using Lines = std::vector<std::string>;

std::string FirstDifference(const Lines& expected, const Lines& found) {
  const auto [e, f] = std::mismatch(expected.begin(), expected.end(), found.begin(), found.end());
  if (e == expected.end() && f == found.end()) return "";
  return fmt::format("expected {}\n  found    {}", e == expected.end() ? "nothing more" : *e, f == found.end() ? "nothing more" : *f);
}

// By the record that brought them about, each list sorted and without ids.
std::map<uint64_t, Lines> ByRecord(const std::vector<Heard>& effects) {
  std::map<uint64_t, Lines> by_record;
  for (const Heard& effect : effects) by_record[effect.id.sequence].push_back(WithoutId(effect));
  for (auto& [sequence, lines] : by_record) std::sort(lines.begin(), lines.end());
  return by_record;
}

// The same of one record by the person that they are about; `lines` are sorted.
std::map<std::string, Lines> ByPerson(const Lines& lines) {
  std::map<std::string, Lines> by_person;
  for (const std::string& line : lines) {
    const size_t begin = line.find("\"user\":\"") + 8;
    size_t end = begin;
    while (line[end] != '"') end += line[end] == '\\' ? 2 : 1;
    by_person[line.substr(begin, end - begin)].push_back(line);
  }
  return by_person;
}

// Whether each person was told of as one of the plans has it. The shards that a record is about tell of it at different times,
// so perhaps under different plans.
bool IsMixed(const std::vector<std::map<std::string, Lines>>& told_under, const std::map<std::string, Lines>& found) {
  std::set<std::string> people;
  for (const auto& [person, lines] : found) people.insert(person);
  for (const auto& told : told_under) {
    for (const auto& [person, lines] : told) people.insert(person);
  }
  const auto of = [](const std::map<std::string, Lines>& told, const std::string& person) {
    const auto it = told.find(person);
    return it == told.end() ? Lines() : it->second;
  };
  return std::all_of(people.begin(), people.end(), [&](const std::string& person) {
    return std::any_of(told_under.begin(), told_under.end(), [&](const auto& told) { return of(told, person) == of(found, person); });
  });
}

Lines TextsOf(const std::vector<Heard>& effects) {
  Lines texts;
  for (const Heard& effect : effects) texts.push_back(ToText(effect));
  return texts;
}

class Judgement {
 public:
  Judgement(const Evidence& evidence, const Plans& plans, PlansInForce* in_force, Chronicle* chronicle)
      : evidence_(evidence), plans_(plans), in_force_(*in_force), chronicle_(*chronicle) {}

  bool Run(bool* gave_up) {
    in_force_.Settle(evidence_.log);
    if (!JudgeRebuilt()) return false;
    if (!JudgeUsers() || !JudgeAnswers()) return false;
    if (!JudgeEffects()) return false;
    *gave_up = gave_up_;
    return true;
  }

 private:
  using Change = PlansInForce::Change;

  // Null: the oracle gave the plan up.
  const OracleRun* Run(size_t plan) {
    auto& run = runs_[plan];
    if (!run) {
      OracleRun::Task& task = tasks_[plan];
      task = {plans_.plan(plan).get(), &evidence_.log, evidence_.record_of, evidence_.until, {}, {}};
      for (const Change& change : in_force_.changes()) task.look_before.insert(change.sequence);
      for (const Answer& answer : evidence_.answers) {
        if (plans_.IndexOf(answer.plan) == plan) task.answers.push_back(&answer);
      }
      run = std::make_unique<OracleRun>(task);
    }
    gave_up_ |= run->gave_up();
    return run->gave_up() ? nullptr : run.get();
  }

  bool JudgeRebuilt() {
    if (const std::string difference = FirstDifference(evidence_.users_again, evidence_.users); !difference.empty()) {
      return chronicle_.Fail(Promise::kState, "memberships and metrics, against those that the log gives: " + difference);
    }
    if (in_force_.several()) return true;  // what was told under an earlier plan is not told again
    if (const std::string difference = FirstDifference(TextsOf(evidence_.kept_again), TextsOf(evidence_.kept)); !difference.empty()) {
      return chronicle_.Fail(Promise::kEffects, "what was told, against what the log tells again to an empty store: " + difference);
    }
    return true;
  }

  bool JudgeUsers() {
    const OracleRun* run = Run(in_force_.present());
    if (!run) return true;
    const std::string difference = FirstDifference(run->values(), evidence_.users);
    return difference.empty() || chronicle_.Fail(Promise::kState, "memberships and metrics: " + difference);
  }

  bool JudgeAnswers() {
    for (const Answer& answer : evidence_.answers) {
      const OracleRun* run = Run(plans_.IndexOf(answer.plan));
      if (!run) continue;
      const auto& expected = run->ValuesFor(&answer);
      if (expected == answer.values) continue;
      const auto text = [](const auto& values) { return values ? oracle::ToText(*values) : std::string("nobody"); };
      return chronicle_.Fail(Promise::kState, fmt::format("what was answered of \"{}\" at record {}: expected {}\n  found    {}", answer.person,
                                                          answer.position, text(expected), text(answer.values)));
    }
    return true;
  }

  bool JudgeEffects() {
    const auto kept = ByRecord(evidence_.kept), heard = ByRecord(evidence_.heard), again = ByRecord(evidence_.kept_again);
    for (uint64_t sequence = 1; sequence <= evidence_.log.size() + 1; ++sequence) {
      const Lines& found = At(kept, sequence);
      if (!JudgeRecord(sequence, found)) return false;
      const bool told_once = in_force_.Of(sequence).size() <= 1 && !IsReadAgain(sequence);
      if (told_once && At(heard, sequence) != found) {
        return chronicle_.Fail(Promise::kEffects, fmt::format("record {}: what a client of the stream heard, against what is kept: {}", sequence,
                                                              FirstDifference(found, At(heard, sequence))));
      }
      const OracleRun* last = Run(in_force_.present());
      if (last && last->EffectsOf(sequence) != At(again, sequence)) {
        return chronicle_.Fail(Promise::kEffects, fmt::format("record {}, told to an empty store: {}", sequence,
                                                              FirstDifference(last->EffectsOf(sequence), At(again, sequence))));
      }
    }
    return true;
  }

  static const Lines& At(const std::map<uint64_t, Lines>& lines, uint64_t sequence) {
    static const Lines kNone;
    const auto it = lines.find(sequence);
    return it == lines.end() ? kNone : it->second;
  }

  bool IsReadAgain(uint64_t sequence) const {
    return std::any_of(in_force_.changes().begin(), in_force_.changes().end(),
                       [&](const Change& change) { return change.sequence == sequence && change.read_again; });
  }

  // What a record brought about is what it does under one of the plans that may have told it.
  bool JudgeRecord(uint64_t sequence, const Lines& found) {
    std::string differences;
    for (const Change& change : in_force_.changes()) {
      if (change.sequence != sequence) continue;
      const OracleRun *before = Run(change.before), *after = Run(change.after);
      if (!before || !after) return true;
      const Lines expected = DifferencesAt(sequence, before->Before(sequence), after->Before(sequence));
      if (expected == found || (change.read_again && found.empty())) return true;
      return chronicle_.Fail(Promise::kEffects, fmt::format("record {}, at which the plan changed: {}", sequence, FirstDifference(expected, found)));
    }
    std::set<size_t> plans = in_force_.Of(sequence);
    if (plans.empty()) plans.insert(in_force_.present());  // behind the last record
    std::vector<std::map<std::string, Lines>> told_under;
    for (const size_t plan : plans) {
      const OracleRun* run = Run(plan);
      if (!run || run->EffectsOf(sequence) == found) return true;
      differences += fmt::format("{}under plan {} {}", differences.empty() ? "" : "\n", plan, FirstDifference(run->EffectsOf(sequence), found));
      told_under.push_back(ByPerson(run->EffectsOf(sequence)));
    }
    if (plans.size() > 1 && IsMixed(told_under, ByPerson(found))) return true;
    return chronicle_.Fail(Promise::kEffects, fmt::format("transitions and firings of record {}: {}", sequence, differences));
  }

  // Who is in a segment under one plan alone leaves or enters when the plan changes.
  Lines DifferencesAt(uint64_t sequence, const OracleRun::People& before, const OracleRun::People& after) const {
    const Millis at = ReadPlan(evidence_.log[sequence - 1]).at;
    std::set<std::string> people;
    for (const auto& [person, segments] : before.segments) people.insert(person);
    for (const auto& [person, segments] : after.segments) people.insert(person);
    Lines lines;
    for (const std::string& person : people) {
      Millis then = at;
      for (const auto* clocks : {&before.clocks, &after.clocks}) {
        if (const auto clock = clocks->find(person); clock != clocks->end()) then = std::max(then, clock->second);
      }
      const auto tell = [&](const OracleRun::People& here, const OracleRun::People& there, bool enter) {
        const auto mine = here.segments.find(person), theirs = there.segments.find(person);
        if (mine == here.segments.end()) return;
        for (const std::string& segment : mine->second) {
          if (theirs != there.segments.end() && theirs->second.contains(segment)) continue;
          lines.push_back(oracle::ToText(oracle::Transition{then, person, segment, enter, false}));
        }
      };
      tell(before, after, false);
      tell(after, before, true);
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  }

  const Evidence& evidence_;
  const Plans& plans_;
  PlansInForce& in_force_;
  Chronicle& chronicle_;
  std::map<size_t, OracleRun::Task> tasks_;
  std::map<size_t, std::unique_ptr<OracleRun>> runs_;
  bool gave_up_ = false;
};

}  // namespace

bool Judge(const Evidence& evidence, const Plans& plans, PlansInForce* in_force, Chronicle* chronicle, bool* gave_up) {
  return Judgement(evidence, plans, in_force, chronicle).Run(gave_up);
}

}  // namespace attune::simulate

#include "scenarios/scenario.h"

#include <algorithm>
#include <memory>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>

#include "engine/record.h"
#include "event/value.h"
#include "history/history_run.h"
#include "ingest/tracking_plan.h"
#include "oracle/engine_run.h"
#include "oracle/timeline.h"
#include "plan/plan.h"

namespace attune::scenario {
namespace {

constexpr char kDefaultDate[] = "2026-03-01";

Error Wrong(int line, const std::string& what) {
  return {ErrorCode::kInvalid, "line " + std::to_string(line) + ": " + what};
}

// `10:10:00`, with the date unless it is the usual one, with milliseconds when there are any.
std::string ClockText(Millis t) {
  const std::string full = FormatRfc3339(t);  // 2026-03-01T10:10:00.000Z
  std::string text = full.substr(0, 10) == kDefaultDate ? "" : full.substr(0, 10) + " ";
  text += full.substr(11, 8);
  if (full.substr(20, 3) != "000") text += full.substr(19, 4);
  return text;
}

// Words, "texts" and {objects} of one line.
class Words {
 public:
  explicit Words(const std::string& line) : line_(line) { SkipBlanks(); }

  bool AtEnd() const { return at_ >= line_.size(); }
  char Front() const { return AtEnd() ? '\0' : line_[at_]; }

  std::string Word() {
    const size_t begin = at_;
    if (Front() == '"') {
      SkipText();
      std::string text = line_.substr(begin + 1, at_ - begin - 2);
      SkipBlanks();
      return text;
    }
    while (!AtEnd() && line_[at_] != ' ') ++at_;
    std::string word = line_.substr(begin, at_ - begin);
    SkipBlanks();
    return word;
  }

  // Takes the word when it comes next.
  bool Take(const std::string& word) {
    Words ahead = *this;
    if (ahead.Word() != word) return false;
    at_ = ahead.at_;
    return true;
  }

  // A JSON object whose keys may stand without quotation marks, as JSON without blanks. Empty when
  // there is none.
  std::string Object() {
    std::string json;
    if (Front() != '{') return json;
    int depth = 0;
    do {
      const size_t begin = at_;
      const char c = Front();
      if (c == '"') {
        SkipText();
        json += line_.substr(begin, at_ - begin);
      } else if (isalpha(c) || c == '_') {
        while (isalnum(Front()) || Front() == '_') ++at_;
        const std::string word = line_.substr(begin, at_ - begin);
        json += Front() == ':' ? '"' + word + '"' : word;
      } else {
        if (c != ' ') json += c;
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        ++at_;
      }
    } while (depth > 0 && !AtEnd());
    SkipBlanks();
    return json;
  }

  // A word as it stands, a text with its quotation marks.
  std::string Json() {
    const size_t begin = at_;
    if (Front() != '"') return Word();
    SkipText();
    const std::string json = line_.substr(begin, at_ - begin);
    SkipBlanks();
    return json;
  }

  // The rest of the line, without blanks outside texts.
  std::string Rest() {
    std::string rest;
    while (!AtEnd()) {
      const size_t begin = at_;
      if (Front() == '"') {
        SkipText();
        rest += line_.substr(begin, at_ - begin);
      } else {
        if (Front() != ' ') rest += Front();
        ++at_;
      }
    }
    return rest;
  }

  std::optional<Millis> Time() {
    std::string text = Word();
    if (text.size() == 10 && text[4] == '-') {
      text += 'T' + Word();
    } else {
      text = std::string(kDefaultDate) + 'T' + text;
    }
    return ParseRfc3339(text + 'Z');
  }

 private:
  void SkipBlanks() {
    while (Front() == ' ') ++at_;
  }
  void SkipText() {
    for (++at_; !AtEnd() && line_[at_] != '"'; ++at_) at_ += line_[at_] == '\\';
    ++at_;
  }

  std::string line_;
  size_t at_ = 0;
};

class Reader {
 public:
  Result<Scenario> Read(const std::string& text) {
    std::istringstream lines(text);
    std::string line;
    std::string block;
    while (std::getline(lines, line)) {
      ++number_;
      const bool inside = line.starts_with(' ') || line.empty();
      if (inside && block == "plan:") {
        scenario_.plan += line + '\n';
      } else if (line.empty() || line.find_first_not_of(' ') == line.find('#')) {
        continue;
      } else if (inside && block == "given:") {
        Given(line);
      } else if (inside && block == "then:") {
        Then(line);
      } else if (line == "plan:" || line == "given:" || line == "then:") {
        block = line;
        seen_.insert(block);
      } else {
        Sentence(line);
      }
      if (error_) return *error_;
    }
    if (seen_.size() != 3) return Wrong(number_, "a scenario has a plan:, a given: and a then:");
    return std::move(scenario_);
  }

 private:
  void Fail(const std::string& what) {
    if (!error_) error_ = Wrong(number_, what);
  }

  Millis Time(Words* words) {
    const auto time = words->Time();
    if (!time) Fail("expected a time, such as 10:00:00 or 2026-03-29 10:00:00.250");
    return time.value_or(0);
  }

  // TIME USER EVENT [from ID] [{properties}] [context {…}] [id ID] [late | duplicate | refused
  // REASON]
  void Given(const std::string& line) {
    Words words(line);
    const Millis time = Time(&words);
    const std::string user = words.Word();
    std::string name = words.Word();
    std::string from = words.Take("from") ? words.Word() : "";
    std::string object = words.Object();
    std::string context = words.Take("context") ? words.Object() : "";
    const std::string id = words.Take("id") ? words.Word() : "event-" + std::to_string(number_);
    if (name == "consent") {
      name = "identify";
      context = oracle::ConsentContext(object);
      object.clear();
    }
    const bool fact = name == "identify" || name == "group" || name == "alias";
    if (name == "alias" && from.empty()) from = user + "-before";
    const bool anonymous = user.starts_with('?');

    GivenEvent event;
    event.line = number_;
    event.json = "{\"type\":\"" + (fact ? name : "track") + '"';
    Member("event", fact ? "" : name, &event.json);
    Member("groupId", name == "group" ? "a-group" : "", &event.json);
    Member(name == "alias" ? "previousId" : "anonymousId", from, &event.json);
    Member(anonymous ? "anonymousId" : "userId", anonymous ? user.substr(1) : user, &event.json);
    Member("messageId", id, &event.json);
    Member("timestamp", FormatRfc3339(time), &event.json);
    if (!object.empty()) event.json += (fact ? ",\"traits\":" : ",\"properties\":") + object;
    if (!context.empty()) event.json += ",\"context\":" + context;
    event.json += '}';
    if (words.Take("refused")) {
      event.fate = "refused " + words.Word();
    } else if (words.Front() == 'l' || words.Front() == 'd') {
      event.fate = words.Word();
    }
    if (!words.AtEnd()) Fail("did not expect \"" + words.Rest() + "\"");
    scenario_.given.push_back(std::move(event));
  }

  static void Member(std::string_view name, std::string_view text, std::string* json) {
    if (text.empty()) return;
    *json += ",\"" + std::string(name) + "\":";
    AppendJsonString(text, json);
  }

  // TIME USER enters|leaves SEGMENT [corrected], TIME USER fires TRIGGER [for KEY] [{values}], or
  // `nothing`
  void Then(const std::string& line) {
    Words words(line);
    if (words.Take("nothing")) return;
    std::string text = ClockText(Time(&words));
    for (int i = 0; i < 3; ++i) text += ' ' + words.Word();
    if (words.Take("corrected")) text += " corrected";
    if (words.Take("for")) text += " for " + words.Json();
    if (const std::string values = words.Object(); !values.empty()) text += ' ' + values;
    if (!words.AtEnd()) Fail("did not expect \"" + words.Rest() + "\"");
    scenario_.then.push_back(std::move(text));
  }

  void Sentence(const std::string& line) {
    Words words(line);
    if (words.Take("when")) {
      for (const char* word : {"the", "clock", "reads"}) {
        if (!words.Take(word)) Fail("expected: when the clock reads TIME");
      }
      scenario_.until = Time(&words);
      return;
    }
    if (!words.Take("and") || !words.Take("at")) return Fail("expected plan:, given:, when …, then: or and at …");
    Check check;
    check.line = number_;
    check.at = Time(&words);
    check.user = words.Word();
    if (words.Take("has")) {
      check.question = words.Word();
      if (!words.Take("=")) return Fail("expected: and at TIME USER has METRIC = VALUE");
      check.answer = words.Rest();
    } else if (words.Take("is")) {
      check.answer = words.Take("in") ? words.Rest() : words.Word();  // `in a, b`, `unknown`
    } else {
      return Fail("expected: and at TIME USER has METRIC = VALUE, is in SEGMENT, … or is unknown");
    }
    scenario_.checks.push_back(std::move(check));
  }

  int number_ = 0;
  Scenario scenario_;
  std::set<std::string> seen_;
  std::optional<Error> error_;
};

Result<std::unique_ptr<Plan>> PlanOf(const Scenario& scenario) {
  LoadedPlan loaded = ParsePlan(scenario.plan);
  for (const Problem& problem : loaded.problems) {
    if (!problem.warning) return Error{ErrorCode::kInvalid, ToText(problem)};
  }
  return std::move(loaded.plan);
}

std::vector<Millis> InstantsOf(const Scenario& scenario) {
  std::vector<Millis> at;
  for (const Check& check : scenario.checks) at.push_back(check.at);
  return at;
}

// Admits each event as replay does; calls fn(admission) for those that are let in.
template <typename Fn>
Result<Outcome> Feed(const Scenario& scenario, const Plan& plan, Fn fn) {
  Outcome outcome;
  TrackingPlan admission(plan);
  for (const GivenEvent& event : scenario.given) {
    const std::string source = "given:" + std::to_string(event.line);
    Origin origin;
    origin.source = source;
    origin.history = true;
    origin.file = true;
    const Admission admitted = admission.Admit(event.json, origin);
    if (admitted.ok()) {
      outcome.fates.push_back(fn(admitted));
    } else {
      outcome.fates.push_back("refused " + std::string(CodeOf(admitted.dead->first().reason)));
    }
  }
  return outcome;
}

std::string ChangeText(Millis at, std::string_view user, bool enter, std::string_view segment, bool corrected) {
  return ClockText(at) + ' ' + std::string(user) + (enter ? " enters " : " leaves ") + std::string(segment) +
         (corrected ? " corrected" : "");
}

// Something that happened, as a line of `then:`.
struct Line {
  Millis at;
  std::string user;
  std::string name;  // of the segment or trigger
  std::string text;
};

// By instant, user and name; what one name does at one instant stays as it came.
std::vector<std::string> InOrder(std::vector<Line> lines) {
  std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) {
    return std::tie(a.at, a.user, a.name) < std::tie(b.at, b.user, b.name);
  });
  std::vector<std::string> texts;
  texts.reserve(lines.size());
  for (Line& line : lines) texts.push_back(std::move(line.text));
  return texts;
}

std::string AnswerOf(const Check& check, const std::vector<oracle::UserValues>& values) {
  for (const oracle::UserValues& v : values) {
    if (v.at != check.at || v.user != check.user) continue;
    if (!check.question.empty()) {
      const auto found = v.metrics.find(check.question);
      return found == v.metrics.end() ? "null" : found->second;
    }
    std::string names;
    for (const std::string& name : v.segments) names += (names.empty() ? "" : ",") + name;
    return names.empty() ? "nothing" : names;
  }
  return "unknown";
}

std::vector<std::string> AnswersOf(const Scenario& scenario, const std::vector<oracle::UserValues>& values) {
  std::vector<std::string> answers;
  for (const Check& check : scenario.checks) answers.push_back(AnswerOf(check, values));
  return answers;
}

}  // namespace

Result<Scenario> ReadScenario(const std::string& text) { return Reader().Read(text); }

Result<Outcome> RunEngine(const Scenario& scenario) {
  auto plan = PlanOf(scenario);
  if (!plan.ok()) return plan.error();
  const auto program = Program::Compile(std::shared_ptr<const Plan>(std::move(*plan)));

  std::vector<Line> lines;
  std::vector<oracle::UserValues> values;
  HistoryRun* running = nullptr;
  HistoryRun run(program, InstantsOf(scenario),
                 {[&](const Transition& t) {
                    const std::string& segment = program->conditions[t.segment].name;
                    lines.push_back({t.at, std::string(t.user->id()), segment,
                                     ChangeText(t.at, std::string(t.user->id()), t.enter, segment, t.corrected)});
                  },
                  [&](const TriggerFiring& f) {
                    const std::string& trigger = program->conditions[f.trigger].name;
                    std::string text = ClockText(f.at) + ' ' + std::string(f.user->id()) + " fires " + trigger;
                    if (!f.key.empty()) text += " for " + f.key;
                    if (f.values != "{}") text += ' ' + f.values;
                    lines.push_back({f.at, std::string(f.user->id()), trigger, std::move(text)});
                  },
                  [&](Millis at, const UserState& user) {
                    values.push_back(oracle::ValuesOf(&running->engine(), user, at));
                  }});
  running = &run;
  Millis last = kAlways;
  auto outcome = Feed(scenario, *program->plan, [&](const Admission& admitted) -> std::string {
    std::string bytes;
    EncodeEvent(admitted.head, admitted.json, &bytes);
    last = std::max(last, admitted.head.time);
    switch (run.Apply(bytes)) {
      case Applied::kNew: return "";
      case Applied::kLate: return "late";
      case Applied::kDuplicate: return "duplicate";
    }
    return "";
  });
  run.Finish(scenario.until.value_or(last));
  outcome->then = InOrder(std::move(lines));
  outcome->answers = AnswersOf(scenario, values);
  return outcome;
}

Result<Outcome> RunOracle(const Scenario& scenario) {
  const auto plan = PlanOf(scenario);
  if (!plan.ok()) return plan.error();
  std::vector<oracle::Record> records;
  auto outcome = Feed(scenario, **plan, [&](const Admission& admitted) {
    const EventHead& head = admitted.head;
    records.push_back({head.kind, std::string(head.id), std::string(head.user), std::string(head.anonymous_id),
                       std::string(head.name), head.time, std::string(admitted.json)});
    return "";
  });
  oracle::RunOptions options;
  options.until = scenario.until;
  options.at = InstantsOf(scenario);
  const oracle::RunResult result = oracle::RunNaively(**plan, records, options);
  std::vector<Line> lines;
  for (const oracle::Transition& t : result.transitions) {
    lines.push_back({t.at, t.user, t.segment, ChangeText(t.at, t.user, t.enter, t.segment, t.corrected)});
  }
  for (const oracle::Firing& f : result.firings) {
    std::string text = ClockText(f.at) + ' ' + f.user + " fires " + f.trigger;
    if (!f.key.empty()) text += " for " + f.key;
    if (f.values != "{}") text += ' ' + f.values;
    lines.push_back({f.at, f.user, f.trigger, std::move(text)});
  }
  outcome->then = InOrder(std::move(lines));
  outcome->answers = AnswersOf(scenario, result.values);
  return outcome;
}

}  // namespace attune::scenario

#include "oracle/generator.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace attune::oracle {
namespace {

// Interesting instants: clock changes, the ends of days, weeks and months.
struct Place {
  const char* timezone;
  const char* instant;
};
constexpr Place kPlaces[] = {
    {"Europe/Warsaw", "2026-03-29T01:00:00Z"},        // 02:00 becomes 03:00
    {"Europe/Warsaw", "2026-10-25T01:00:00Z"},        // 03:00 becomes 02:00
    {"Europe/Warsaw", "2026-03-29T22:00:00Z"},        // a day of 23 hours, and its week, end
    {"Europe/Warsaw", "2026-03-31T22:00:00Z"},        // a month ends
    {"America/New_York", "2026-03-08T07:00:00Z"},     // 02:00 becomes 03:00
    {"America/New_York", "2026-11-01T06:00:00Z"},     // 02:00 becomes 01:00, on a month's first
    {"America/New_York", "2026-11-02T05:00:00Z"},     // a day of 25 hours, and its week, end
    {"Australia/Lord_Howe", "2026-04-04T15:00:00Z"},  // 02:00 becomes 01:30
    {"Australia/Lord_Howe", "2026-10-03T15:30:00Z"},  // 02:00 becomes 02:30
    {"Asia/Kolkata", "2026-02-28T18:30:00Z"},         // a month ends at half past
    {"UTC", "2026-01-01T00:00:00Z"},
};

std::string Quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "''" : std::string(1, c);
  return quoted + "'";
}

class CaseMaker {
 public:
  CaseMaker(uint64_t seed, uint64_t draft, const CaseOptions& options)
      : random_(seed * 1'000'003 + draft), options_(options) {
    made_.seed = seed;
    words_.exotic = options.exotic;
    words_.features = options.features;
  }

  Case Make() {
    Settings();
    Instants();
    Definitions();
    if (options_.features.triggers) Triggers();
    History();
    Ends();
    return std::move(made_);
  }

 private:
  bool InSeconds() const { return options_.scale == Scale::kSeconds; }

  void Settings() {
    const Place& place = kPlaces[random_.Below(std::size(kPlaces))];
    made_.timezone = place.timezone;
    span_ = InSeconds() ? random_.Pick<Millis>({400, 1000, 2000, 3000})
                        : random_.Pick<Millis>({kDay, 4 * kDay, 15 * kDay, 40 * kDay});
    const Millis middle = *ParseRfc3339(place.instant);
    begin_ = middle - (random_.Percent(70) ? random_.Below(span_) : 0);
    static const std::vector<Millis> kShort = {5, 10, 20, 50, 100, 150, 200, 500, 1000, 2000};
    static const std::vector<Millis> kLong = {kMinute,   10 * kMinute, 30 * kMinute, kHour,
                                              2 * kHour, 12 * kHour,   kDay,         3 * kDay,
                                              kWeek,     30 * kDay};
    const std::vector<Millis>& durations = InSeconds() ? kShort : kLong;
    const int64_t some = random_.From(2, 4);
    for (int64_t i = 0; i < some; ++i) {
      words_.durations.push_back(std::min(random_.Pick(durations), std::max<Millis>(span_, 5)));
    }
    made_.gap = random_.Pick(words_.durations);
    if (random_.Percent(40)) made_.max = random_.Pick(words_.durations) + random_.Below(2);
    if (random_.Percent(50)) made_.dedupe = random_.Pick(words_.durations);
    made_.declares = random_.Percent(85);
    if (options_.few_catch_up) made_.catch_up = random_.Pick<int64_t>({1, 1, 2, 3, 5, 8});
  }

  void Instants() {
    for (int i = 0; i < 6; ++i) {
      Millis instant = begin_ + random_.Below(span_);
      if (!InSeconds() && random_.Percent(50)) instant -= instant % kHour;
      words_.instants.push_back(instant);
    }
  }

  void Definitions() {
    Grammar grammar(&random_, words_);
    const int64_t metrics = random_.From(1, 6);
    for (int64_t i = 0; i < metrics; ++i) {
      const std::string name = "m" + std::to_string(i);
      const int64_t kind = random_.Below(10);
      Term value = kind == 0   ? grammar.Time(2)
                   : kind == 1 ? grammar.MovingNumber(2)
                   : kind == 2 ? grammar.Dynamic()
                   : kind == 3 ? grammar.List()
                   : kind == 4 ? grammar.Duration(2)
                   : kind < 8  ? grammar.OverNumbers()
                               : grammar.Number(2);
      made_.metrics.push_back({name, std::move(value)});
      if (kind >= 5) words_.number_metrics.push_back(name);
    }
    const int64_t clocked = options_.few_catch_up ? random_.From(1, 2) : 0;
    const int64_t segments = random_.From(1, 6);
    for (int64_t i = 0; i < segments; ++i) {
      const std::string name = "s" + std::to_string(i);
      made_.segments.push_back({name, i < clocked ? grammar.Clocked() : grammar.Bool(2)});
      words_.segments.push_back(name);
    }
  }

  void Triggers() {
    Grammar grammar(&random_, words_);
    const auto fixed = [](std::string text) {
      return Term{Term::Sort::kFixed, std::move(text), {}};
    };
    const bool restrained = options_.features.restraints;
    if (restrained && random_.Percent(50)) made_.groups.push_back({"g", fixed(Cap())});
    const int64_t triggers = random_.From(0, 3);
    for (int64_t i = 0; i < triggers; ++i) {
      TriggerDraft trigger;
      trigger.name = "t" + std::to_string(i);
      trigger.kind = random_.Pick<std::string>({"enter", "enter", "leave", "on"});
      const bool on = trigger.kind == "on";
      const bool keyed = !on && options_.features.keys && random_.Percent(40);
      const bool clocked = options_.few_catch_up && random_.Percent(30);
      trigger.what = on        ? grammar.Selector()
                     : keyed   ? grammar.Some(1)
                     : clocked ? grammar.Clocked()
                               : grammar.Bool(1);
      auto& settings = trigger.settings;
      if (on && random_.Percent(50)) settings.push_back({"where", grammar.Bool(1)});
      if (random_.Percent(40))
        settings.push_back({"cooldown", fixed(DurationText(random_.Pick(words_.durations)))});
      if (random_.Percent(30)) settings.push_back({"at_most", fixed(Cap())});
      if (restrained && random_.Percent(20)) settings.push_back({"only_if", grammar.Bool(1)});
      if (restrained && random_.Percent(15))
        settings.push_back({"holdout", fixed(random_.Percent(50) ? "50%" : "0.3")});
      if (restrained && random_.Percent(15)) {
        settings.push_back({"quiet_hours", fixed(random_.Pick<std::string>(
                                               {"22:00-06:00", "01:30-03:00", "12:00-24:00"}))});
      }
      if (!made_.groups.empty() && random_.Percent(60)) settings.push_back({"group", fixed("g")});
      if (random_.Percent(50)) trigger.with.push_back({"x", grammar.OverNumbers()});
      if (random_.Percent(20)) trigger.with.push_back({"y", grammar.Dynamic()});
      made_.triggers.push_back(std::move(trigger));
    }
  }

  std::string Cap() {
    return std::to_string(random_.From(1, 3)) + " per " +
           DurationText(random_.Pick(words_.durations));
  }

  // A step of time that puts events onto boundaries.
  Millis Step() {
    const int64_t kind = random_.Below(10);
    if (kind == 0) return 0;
    if (kind == 1) return random_.From(1, 3);
    if (kind == 2) return made_.gap + random_.Below(2);
    if (kind == 3 && made_.max && random_.Percent(60)) return *made_.max + random_.From(-1, 1);
    if (kind <= 6) return random_.Pick(words_.durations) + random_.From(-1, 1);
    return random_.Below(std::max<Millis>(span_ / 10, 2));
  }

  void History() {
    std::vector<std::string> users = {"ann", "bob", "Żaneta \"Ż\"", "u4"};
    users.resize(static_cast<size_t>(std::min(random_.From(1, 4), random_.From(1, 4))));
    if (options_.features.identity && random_.Percent(60)) {
      anonymous_ = {"n1", "n2", "\"n\" 3"};
      anonymous_.resize(static_cast<size_t>(random_.From(1, 3)));
      users.insert(users.end(), anonymous_.begin(), anonymous_.end());
    }
    std::vector<Millis> clocks(users.size(), begin_);
    const int64_t length = random_.From(1, 40);
    const int64_t silent_before = options_.few_catch_up ? random_.Below(length) : length;
    for (int64_t i = 0; i < length; ++i) {
      if (i == silent_before) Pause(&clocks);
      const auto who = static_cast<size_t>(random_.Below(static_cast<int64_t>(users.size())));
      if (Repeated()) continue;
      Millis time = std::min(clocks[who] + Step(), begin_ + span_);
      const Millis named = random_.Pick(words_.instants) + random_.From(-1, 1);
      if (random_.Percent(10) && named > clocks[who]) time = named;
      clocks[who] = time;
      if (random_.Percent(15)) time = std::max(begin_, time - Step());  // late
      Add(users[who], time);
    }
  }

  // A time without records of any user.
  void Pause(std::vector<Millis>* clocks) {
    const Millis pause = InSeconds() ? random_.Below(500) : random_.From(1, 6) * kDay;
    span_ += pause;
    for (Millis& clock : *clocks) clock += pause;
  }

  // Repeats an earlier record, perhaps with another time.
  bool Repeated() {
    if (made_.records.empty() || !random_.Percent(6)) return false;
    const Record earlier = random_.Pick(made_.records);
    Millis time = earlier.time;
    if (random_.Percent(40)) {
      time += random_.Percent(50) ? Step() : made_.dedupe - random_.Below(2);
      if (time > begin_ + span_) time = earlier.time;
    }
    next_id_ = earlier.id;
    Add(earlier.user, time);
    return true;
  }

  void Add(const std::string& user, Millis time) {
    std::string id = "e" + std::to_string(made_.records.size());
    if (!next_id_.empty()) id = std::exchange(next_id_, "");
    if (random_.Percent(anonymous_.empty() ? 12 : 20)) {
      const EventKind kind = random_.Percent(75)   ? EventKind::kIdentify
                             : random_.Percent(40) ? EventKind::kGroup
                                                   : EventKind::kAlias;
      made_.records.push_back(Fact(kind, id, WhoIs(user, kind), time, Traits(), Consents()));
      return;
    }
    const std::string name =
        random_.Pick<std::string>({"a", "a", "a", "b", "b", "c", "page_viewed"});
    std::string context;
    if (random_.Percent(20)) {
      context = "{\"page\":{\"path\":" + StringText(random_.Pick(Texts())) + "}}";
    } else if (random_.Percent(20)) {
      context = Consents();
    }
    made_.records.push_back(Track(id, WhoIs(user, EventKind::kTrack), name, time,
                                  name == "a" ? Declared(time) : Undeclared(), context));
  }

  // The ids of a record for a person with this name. An alias names a user; its ids may be anonymous elsewhere.
  Who WhoIs(const std::string& name, EventKind kind) {
    if (anonymous_.empty()) return name;
    const bool alias = kind == EventKind::kAlias;
    if (!alias && std::find(anonymous_.begin(), anonymous_.end(), name) != anonymous_.end())
      return Who::Anonymous(name);
    if (!alias && random_.Percent(kind == EventKind::kIdentify ? 30 : 80)) return name;
    return Who(name, random_.Pick(anonymous_));
  }

  std::string Consents() {
    if (!options_.features.consents || random_.Percent(50)) return "";
    return ConsentContext(random_.Pick<std::string>(
        {R"({"email":true})", R"({"email":false})", R"({"ad s":true,"email":null})",
         R"({"email":true,"ad s":false})", R"({"email":"yes"})"}));
  }

  // Few values, so that events share them; of several types, one of them easily confused with another.
  std::string KeyText() {
    return "\"k\":" + random_.Pick<std::string>(
                          {"1", "1", "2", "\"1\"", "\"x\"", "true", "0", "-0.0", "null", "[1]"});
  }
  bool HasKey() {
    return (options_.features.keys || options_.features.sequences) && random_.Percent(60);
  }

  // A JSON object of those members that are not empty.
  static std::string Object(const std::vector<std::string>& members) {
    std::string object;
    for (const std::string& member : members) {
      object += (object.empty() ? "{" : ",") + member;
    }
    return object.empty() ? "" : object + "}";
  }

  // Properties of the types that the plan declares for `a`.
  std::string Declared(Millis time) {
    std::vector<std::string> members;
    if (random_.Percent(60)) members.push_back("\"n\":" + random_.Pick(NumberTexts()));
    if (random_.Percent(40)) members.push_back("\"i\":" + std::to_string(random_.Below(5)));
    if (random_.Percent(40)) members.push_back("\"s\":" + StringText(random_.Pick(Texts())));
    if (random_.Percent(30)) members.push_back(random_.Percent(50) ? "\"flag\":true"
                                                                   : "\"flag\":false");
    if (random_.Percent(40)) {
      const Millis when = random_.Percent(50) ? random_.Pick(words_.instants) : time - Step();
      members.push_back("\"when\":\"" + FormatRfc3339(when) + "\"");
    }
    if (HasKey()) members.push_back(KeyText());
    return Object(members);
  }

  std::string AnyValue() {
    switch (random_.Below(10)) {
      case 0: return "null";
      case 1: return random_.Percent(50) ? "true" : "false";
      case 2: return "[" + StringText(random_.Pick(Texts())) + "," +
                     random_.Pick(NumberTexts()) + "]";
      case 3: case 4: case 5: return StringText(random_.Pick(Texts()));
      case 6: return random_.Percent(50) ? "1e15" : "-0.0";
      default: return random_.Pick(NumberTexts());
    }
  }

  std::string Undeclared() {
    std::vector<std::string> members;
    if (random_.Percent(75)) members.push_back("\"p\":" + AnyValue());
    if (random_.Percent(50)) members.push_back("\"q\":" + random_.Pick(NumberTexts()));
    if (random_.Percent(20)) members.push_back("\"s\":" + StringText(random_.Pick(Texts())));
    if (random_.Percent(20)) members.push_back("\"n\":" + AnyValue());
    if (random_.Percent(20)) members.push_back("\"tags\":[\"x\",\"Łódź\",2]");
    if (random_.Percent(20)) members.push_back("\"obj\":{\"x\":" + AnyValue() + "}");
    if (HasKey()) members.push_back(KeyText());
    return Object(members);
  }

  std::string Traits() {
    std::vector<std::string> members;
    if (random_.Percent(60)) members.push_back("\"plan\":" + StringText(random_.Pick(Texts())));
    if (random_.Percent(40)) members.push_back("\"age\":" + AnyValue());
    if (random_.Percent(30)) members.push_back("\"vip\":true");
    if (random_.Percent(30)) members.push_back("\"address\":{\"city\":" + AnyValue() + "}");
    return Object(members);
  }

  // Sets the end of the clock, and the instants of values.
  void Ends() {
    Millis last = begin_;
    for (const Record& record : made_.records) last = std::max(last, record.time);
    if (random_.Percent(90)) {
      const Millis more = random_.Pick(words_.durations) + random_.From(-1, 1);
      made_.options.until = InSeconds() ? std::min(last + more, begin_ + span_ + 500) : last + more;
    }
    const Millis end = std::max(made_.options.until.value_or(last), last);
    const int64_t instants = random_.From(0, 6);
    for (int64_t i = 0; i < instants; ++i) {
      Millis at = random_.Percent(50) && !made_.records.empty()
                      ? random_.Pick(made_.records).time + random_.From(-1, 1)
                      : begin_ + random_.Below(end - begin_ + 1);
      if (random_.Percent(30)) at += random_.Pick(words_.durations);
      made_.options.at.push_back(std::min(at, end));
    }
    auto& at = made_.options.at;
    std::sort(at.begin(), at.end());
    at.erase(std::unique(at.begin(), at.end()), at.end());
  }

  Random random_;
  const CaseOptions& options_;
  Vocabulary words_;
  Case made_;
  Millis begin_ = 0;
  Millis span_ = 0;
  std::vector<std::string> anonymous_;
  std::string next_id_;  // of the next record, when it repeats an earlier one
};

void Section(const std::string& title, const std::vector<Definition>& definitions,
             const std::string& before, const std::string& after, std::string* yaml) {
  if (definitions.empty()) return;
  *yaml += title + ":\n";
  for (const Definition& definition : definitions) {
    *yaml += "  " + definition.name + ": " + before + Quoted(ToText(definition.value)) + after +
             "\n";
  }
}

}  // namespace

Case Generate(uint64_t seed, const CaseOptions& options) {
  for (uint64_t draft = 0; draft < 1000; ++draft) {
    Case made = CaseMaker(seed, draft, options).Make();
    if (Load(made)) return made;
  }
  ATTUNE_CHECK(false, "most drafts load");
  return {};
}

std::string PlanText(const Case& made) {
  std::string yaml = "timezone: " + made.timezone + "\n";
  yaml += "sessions: {gap: " + DurationText(made.gap);
  if (made.max) yaml += ", max: " + DurationText(*made.max);
  yaml += "}\ndedupe: " + DurationText(made.dedupe) + "\n";
  if (made.catch_up) yaml += "limits: {catch_up: " + std::to_string(*made.catch_up) + "}\n";
  if (made.declares) {
    yaml += R"(events:
  a:
    properties:
      n: number?
      i: integer?
      s: string?
      flag: boolean?
      when: time?
)";
  }
  Section("metrics", made.metrics, "", "", &yaml);
  Section("segments", made.segments, "{when: ", "}", &yaml);
  Section("trigger_groups", made.groups, "{at_most: ", "}", &yaml);
  if (!made.triggers.empty()) yaml += "triggers:\n";
  for (const TriggerDraft& trigger : made.triggers) {
    yaml +=
        "  " + trigger.name + ":\n    " + trigger.kind + ": " + Quoted(ToText(trigger.what)) + "\n";
    for (const Definition& setting : trigger.settings) {
      yaml += "    " + setting.name + ": " + Quoted(ToText(setting.value)) + "\n";
    }
    if (!trigger.with.empty()) yaml += "    with:\n";
    for (const Definition& value : trigger.with)
      yaml += "      " + value.name + ": " + Quoted(ToText(value.value)) + "\n";
  }
  return yaml;
}

std::vector<Term*> TermsOf(Case* made) {
  std::vector<Term*> terms;
  const auto take = [&](std::vector<Definition>* definitions) {
    for (Definition& definition : *definitions) terms.push_back(&definition.value);
  };
  take(&made->segments);
  take(&made->metrics);
  for (TriggerDraft& trigger : made->triggers) {
    terms.push_back(&trigger.what);
    take(&trigger.settings);
    take(&trigger.with);
  }
  return terms;
}

std::string HistoryText(const Case& made) {
  std::string text;
  for (const Record& record : made.records) text += record.json + "\n";
  return text;
}

std::unique_ptr<Plan> Load(const Case& made, std::string* problems) {
  LoadedPlan loaded = ParsePlan(PlanText(made));
  if (problems) {
    for (const Problem& problem : loaded.problems) *problems += ToText(problem) + "\n";
  }
  return std::move(loaded.plan);
}

}  // namespace attune::oracle

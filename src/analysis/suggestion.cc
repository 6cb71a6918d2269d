#include "analysis/suggestion.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/json.h"
#include "history/history_run.h"
#include "language/token.h"
#include "plan/excerpt.h"

namespace attune {
namespace {

// Names that no plan can have. The two goals belong to the earlier and the later instant.
constexpr const char* kMetric = "the metric";
constexpr const char* kGoals[] = {"the goal", "the later goal"};

constexpr double kDurationUnits[] = {1, kSecond, kMinute, kHour, kDay};

// The number of goal events in (after, after + horizon].
ExpressionPtr CountWithin(const Selector& goal, Millis after, Millis horizon) {
  Expression count;
  count.kind = Expression::Kind::kAggregate;
  count.aggregate = FindAggregate("count");
  count.type = Type::kNumber;
  count.window.kind = Window::Kind::kRange;
  count.window.from = after + 1;
  count.window.to = after + horizon + 1;
  count.selector = Clone(goal);
  return Clone(count);
}

Millis DefaultHorizon(Millis span) {
  const Millis quarter = span / 4;
  for (const Millis unit : {kDay, kHour, kMinute, kSecond}) {
    if (quarter >= unit) return std::min(7 * kDay, quarter / unit * unit);
  }
  return kSecond;
}

// Sets the instants at which values are read, and the horizon.
Status ChooseInstants(const SuggestQuestion& question, SuggestAnswer* answer) {
  const Millis span = answer->last - answer->first;
  const Millis horizon = question.horizon.value_or(DefaultHorizon(span));
  const auto misfit = [&](const std::string& message) {
    return Error{ErrorCode::kInvalid, fmt::format("{}; the history goes from {} to {} and the horizon is {}", message,
                                                  FormatRfc3339(answer->first), FormatRfc3339(answer->last), FormatDuration(horizon))};
  };
  if (horizon > span) return misfit("the history is shorter than the horizon");
  const Millis quarter = span / 4;
  Millis later = quarter >= horizon ? answer->first + 3 * quarter : answer->last - horizon;
  if (question.at) later = std::max(later, *question.at + horizon);
  later = question.validate_at.value_or(later);
  const Millis at = question.at.value_or(std::min(answer->first + span / 2, later - horizon));
  if (at < answer->first) {
    return misfit(question.at ? "no user is known yet at the instant given" : "the history is too short for two horizons: give a shorter one");
  }
  if (later < at + horizon) return misfit("the later instant must be at least a horizon after the earlier one, " + FormatRfc3339(at));
  if (later >= answer->last) return misfit("the later instant, " + FormatRfc3339(later) + ", must be before the end of the history");
  answer->horizon = horizon;
  answer->at = at;
  answer->validate_at = later;
  answer->open = later + horizon > answer->last;
  return {};
}

// The users at the two instants. Ids that are merged later count as separate users, as they were then; the goal is the
// person's.
class Experiment {
 public:
  Experiment(const SuggestQuestion& question, SuggestAnswer* answer, const LinkedIds& linked)
      : answer_(*answer),
        program_(Program::Compile(PlanOf(question, *answer))),
        metric_(program_->MetricRoot(kMetric)),
        run_(program_, {answer->at, answer->validate_at},
             {[](const Transition&) {}, [](const TriggerFiring&) {}, [this](Millis at, const UserState& user) { Take(at, user); }},
             [&linked](std::string_view id) { return linked.Contains(id); }) {}

  HistoryRun& run() { return run_; }

  void Finish() {
    run_.Finish(answer_.last);
    std::vector<Observation> parts[2];
    for (int part = 0; part < 2; ++part) {
      const NodeId goal = program_->MetricRoot(kGoals[part]);
      for (const Taken& taken : taken_[part]) {
        const UserState& person = PersonOf(taken.slot);
        const Value count = run_.engine().Evaluate(goal, person, std::max(answer_.last, person.now)).value;
        parts[part].push_back({taken.value, count.type() == Type::kNumber && count.number() > 0});
      }
    }
    answer_.durations = durations_;
    answer_.suggestion = Suggest(parts[0], parts[1], durations_ ? std::span<const double>(kDurationUnits) : std::span<const double>());
  }

 private:
  struct Taken {
    uint32_t slot;
    double value;
  };

  static std::shared_ptr<const Plan> PlanOf(const SuggestQuestion& question, const SuggestAnswer& answer) {
    std::vector<Metric> asked;
    asked.push_back({kMetric, Clone(*question.metric), {}});
    asked.push_back({kGoals[0], CountWithin(question.reached, answer.at, answer.horizon), {}});
    asked.push_back({kGoals[1], CountWithin(question.reached, answer.validate_at, answer.horizon), {}});
    return Excerpt(*question.plan, std::move(asked));
  }

  void Take(Millis at, const UserState& user) {
    const Value value = run_.engine().Evaluate(metric_, user, at).value;
    double number = std::numeric_limits<double>::quiet_NaN();
    if (value.type() == Type::kNumber) number = value.number();
    if (value.type() == Type::kDuration) {
      number = static_cast<double>(value.duration());
      durations_ = true;
    }
    taken_[at == answer_.at ? 0 : 1].push_back({user.slot, number});
  }

  const UserState& PersonOf(uint32_t slot) {
    const UserState& user = run_.engine().users()[slot];
    if (!user.ended) return user;
    const UserState* person = run_.engine().Find(run_.identity().PersonOf(user.id()));
    ATTUNE_CHECK(person != nullptr, "a merged history belongs to a person");
    return *person;
  }

  SuggestAnswer& answer_;
  const std::shared_ptr<const Program> program_;
  const NodeId metric_;
  HistoryRun run_;
  std::vector<Taken> taken_[2];
  bool durations_ = false;
};

// --- text ---

std::string NumberJson(std::optional<double> number) {
  if (!number) return "null";
  std::string json;
  AppendJsonNumber(*number, &json);
  return json;
}

std::string IntervalJson(const std::optional<Interval>& interval) {
  return interval ? '[' + NumberJson(interval->low) + ',' + NumberJson(interval->high) + ']' : "null";
}

// `fresh`: of users on whom the cut was not chosen, for whom intervals are meaningful.
std::string FiguresJson(const Confusion& c, bool fresh) {
  const bool both = c.reached() > 0 && c.missed() > 0;
  std::string json = fmt::format("{{\"users\":{},\"reached\":{},\"in\":{},\"reached_in\":{}", c.all(), c.reached(), c.in(), c.reached_in);
  json += ",\"j\":" + NumberJson(both ? std::optional(YoudenJ(c)) : std::nullopt);
  json += ",\"precision\":" + NumberJson(Precision(c)) + ",\"recall\":" + NumberJson(Recall(c)) + ",\"lift\":" + NumberJson(Lift(c));
  if (fresh) {
    json += ",\"j_interval\":" + IntervalJson(both ? std::optional(YoudenInterval(c)) : std::nullopt);
    json += ",\"precision_interval\":" + IntervalJson(c.in() > 0 ? std::optional(WilsonInterval(c.reached_in, c.in())) : std::nullopt);
    json += ",\"recall_interval\":" + IntervalJson(c.reached() > 0 ? std::optional(WilsonInterval(c.reached_in, c.reached())) : std::nullopt);
    json += ",\"lift_interval\":" + IntervalJson(LiftInterval(c));
  }
  return json + '}';
}

std::string DistributionJson(const Distribution& d) {
  std::string json = fmt::format("{{\"users\":{},\"reached\":{},\"with_value\":{}", d.users, d.reached, d.with_value);
  const bool any = d.with_value > 0;
  json += ",\"least\":" + NumberJson(any ? std::optional(d.least) : std::nullopt);
  json += ",\"most\":" + NumberJson(any ? std::optional(d.most) : std::nullopt) + ",\"quantiles\":{";
  for (size_t i = 0; i < d.quantiles.size(); ++i) {
    json += fmt::format("{}\"p{:.0f}\":{}", i > 0 ? "," : "", kShares[i] * 100, NumberJson(d.quantiles[i]));
  }
  json += "},\"histogram\":[";
  for (const Bin& bin : d.bins) {
    if (&bin != &d.bins.front()) json += ',';
    json += fmt::format("{{\"from\":{},\"to\":{},\"users\":{},\"reached\":{}}}", NumberJson(bin.from), NumberJson(bin.to), bin.users, bin.reached);
  }
  return json + "]}";
}

}  // namespace

SuggestionQuestion AskForSuggestion(std::shared_ptr<const Plan> plan, std::string_view metric, std::string_view goal, std::string_view horizon) {
  SuggestionQuestion asked;
  const auto take = [&](std::vector<struct Problem> problems, const char* file) {
    for (struct Problem& problem : problems) {
      problem.file = file;
      asked.problems.push_back(std::move(problem));
    }
  };
  ParsedExpression parsed = ParseExpression(metric, *plan);
  take(std::move(parsed.problems), "metric");
  const Expression* e = parsed.expression.get();
  bool right = e != nullptr;
  if (e && !e->dynamic && e->type != Type::kNumber && e->type != Type::kDuration) {
    take({{"", 1, 1, "expected a number or a duration, found " + ToText(*e) + ", a " + std::string(TypeName(e->type))}}, "metric");
    right = false;
  }
  ParsedSelector selector = ParseSelector(goal, *plan);
  take(std::move(selector.problems), "goal");
  Millis span = 0;
  if (!horizon.empty() && (!ParseDuration(horizon, &span) || span <= 0)) {
    take({{"", 1, 1, "expected a duration such as 7d, found \"" + std::string(horizon) + "\""}}, "horizon");
    right = false;
  }
  if (!right || !selector.selector) return asked;
  asked.question.emplace();
  asked.question->plan = std::move(plan);
  asked.question->metric = std::move(parsed.expression);
  asked.question->goal = goal;
  asked.question->reached = std::move(*selector.selector);
  if (span > 0) asked.question->horizon = span;
  return asked;
}

Result<SuggestAnswer> RunSuggestion(const SuggestQuestion& question, StoredHistory* history, StudyProgress* progress) {
  progress->total = 2 * history->size();
  const auto outline = OutlineOf(history, progress);
  if (!outline.ok()) return outline.error();
  SuggestAnswer answer;
  answer.first = outline->first;
  answer.last = std::min(outline->last, question.now);
  if (answer.first > answer.last) return Error{ErrorCode::kNotFound, "the history has no event"};
  if (const Status fits = ChooseInstants(question, &answer); !fits.ok()) return fits.error();
  Experiment experiment(question, &answer, outline->linked);
  if (const Status read = RunThrough(history, progress, &experiment.run()); !read.ok()) return read.error();
  experiment.Finish();
  return answer;
}

std::string CutText(const SuggestQuestion& question, const SuggestAnswer& answer, const Cut& cut) {
  Expression comparison;
  comparison.kind = cut.side == Side::kAtLeast ? Expression::Kind::kGreaterEqual : Expression::Kind::kLessEqual;
  comparison.type = Type::kBool;
  comparison.args.push_back(Clone(*question.metric));
  auto literal = std::make_unique<Expression>();
  literal->type = answer.durations ? Type::kDuration : Type::kNumber;
  literal->literal = answer.durations ? Value::Duration(static_cast<Millis>(std::llround(cut.at))) : Value::Number(cut.at);
  comparison.args.push_back(std::move(literal));
  return ToText(comparison);
}

std::string SegmentYaml(const SuggestQuestion& question, const SuggestAnswer& answer) {
  const auto& best = answer.suggestion.best;
  const auto& doubts = answer.suggestion.doubts;
  if (!best || std::find(doubts.begin(), doubts.end(), Doubt::kContradicted) != doubts.end()) return "";
  const bool named = question.metric->kind == Expression::Kind::kMetric;
  std::string when;
  AppendJsonString(CutText(question, answer, best->cut), &when);  // which is YAML too
  const char* side = best->cut.side == Side::kAtLeast ? "high" : "low";
  return fmt::format("segments:\n  {}_{}: {{when: {}}}\n", side, named ? question.metric->text : "value", when);
}

std::string_view CodeOf(Doubt doubt) {
  switch (doubt) {
    case Doubt::kNoValues: return "no_values";
    case Doubt::kConstant: return "constant";
    case Doubt::kTooFew: return "too_few";
    case Doubt::kNoPower: return "tells_nothing";
    case Doubt::kContradicted: return "contradicted";
  }
  return "";
}

std::vector<std::pair<std::string_view, std::string>> DoubtsOf(const SuggestAnswer& answer) {
  const Suggestion& s = answer.suggestion;
  std::vector<std::pair<std::string_view, std::string>> doubts;
  for (const Doubt doubt : s.doubts) {
    std::string said;
    switch (doubt) {
      case Doubt::kNoValues: said = "nobody has a value at the earlier instant"; break;
      case Doubt::kConstant: said = "everybody with a value has the same, so no cut separates them"; break;
      case Doubt::kTooFew:
        said = fmt::format("the goal was reached by {} of {} users after the earlier instant and by {} of {} after the later one: a cut needs {} "
                           "who reached it and {} who did not, in both",
                           s.distribution.reached, s.distribution.users, s.checked_reached, s.checked_users, kFewest, kFewest);
        break;
      case Doubt::kNoPower: said = "no cut predicts better than chance who reaches the goal"; break;
      case Doubt::kContradicted:
        said = "the later users contradict the cut: for them it may be useless (the interval of J reaches 0)";
        break;
    }
    doubts.emplace_back(CodeOf(doubt), std::move(said));
  }
  if (answer.open) {
    doubts.emplace_back("open_horizon", "the history ends before the later horizon, so goals may be missing from the check");
  }
  return doubts;
}

std::string SuggestionJson(const SuggestQuestion& question, const SuggestAnswer& answer) {
  const Suggestion& s = answer.suggestion;
  std::string json = "{\"metric\":";
  AppendJsonString(ToText(*question.metric), &json);
  json += ",\"goal\":";
  AppendJsonString(question.goal, &json);
  const char* unit = answer.durations ? "milliseconds" : "number";
  json += fmt::format(",\"unit\":\"{}\",\"horizon\":{},\"first\":\"{}\",\"last\":\"{}\",\"at\":\"{}\",\"validate_at\":\"{}\"", unit, answer.horizon, FormatRfc3339(answer.first), FormatRfc3339(answer.last),
                      FormatRfc3339(answer.at), FormatRfc3339(answer.validate_at));
  json += ",\"distribution\":" + DistributionJson(s.distribution);
  json += fmt::format(",\"checked\":{{\"users\":{},\"reached\":{}}}", s.checked_users, s.checked_reached);
  const auto cut_json = [&](const TriedCut& tried) {
    std::string text = "{\"when\":";
    AppendJsonString(CutText(question, answer, tried.cut), &text);
    text += ",\"at\":" + NumberJson(tried.cut.at) + ",\"share\":" + NumberJson(tried.share);
    return text + ",\"chosen\":" + FiguresJson(tried.chosen, false) + ",\"checked\":" + FiguresJson(tried.checked, true) + '}';
  };
  json += ",\"best\":" + (s.best ? cut_json(*s.best) : "null") + ",\"quantiles\":[";
  for (const TriedCut& tried : s.quantiles) json += (&tried == &s.quantiles.front() ? "" : ",") + cut_json(tried);
  json += "],\"segment\":";
  if (const std::string yaml = SegmentYaml(question, answer); yaml.empty()) {
    json += "null";
  } else {
    AppendJsonString(yaml, &json);
  }
  json += ",\"doubts\":[";
  for (const auto& [code, said] : DoubtsOf(answer)) {
    if (json.back() != '[') json += ',';
    json += fmt::format("{{\"code\":\"{}\",\"detail\":", code);
    AppendJsonString(said, &json);
    json += '}';
  }
  return json + "]}";
}

}  // namespace attune

#include "oracle/grammar.h"

#include <algorithm>
#include <utility>

#include "event/value.h"
#include "oracle/aggregate.h"

namespace attune::oracle {
namespace {

using Sort = Term::Sort;

Term Make(Sort sort, std::string pattern, std::vector<Term> parts = {}) {
  return {sort, std::move(pattern), std::move(parts)};
}
Term Fixed(std::string text) { return Make(Sort::kFixed, std::move(text)); }

}  // namespace

std::string DurationText(Millis duration) {
  constexpr std::pair<Millis, const char*> kUnits[] = {
      {kWeek, "w"}, {kDay, "d"}, {kHour, "h"}, {kMinute, "m"}, {kSecond, "s"}};
  for (const auto& [size, unit] : kUnits) {
    if (duration != 0 && duration % size == 0) return std::to_string(duration / size) + unit;
  }
  return std::to_string(duration) + "ms";
}

std::string StringText(const std::string& text) {
  std::string quoted;
  AppendJsonString(text, &quoted);
  return quoted;
}

const std::vector<std::string>& Texts() {
  static const std::vector<std::string> kTexts = {
      "x",      "y",   "X",        "",  "Łódź",  "ŁÓDŹ",
      "straße", "a b", "x\"y\\z", "🙂", "2026-03-01T10:00:00Z"};
  return kTexts;
}

const std::vector<std::string>& NumberTexts() {
  static const std::vector<std::string> kNumbers = {"0",  "1",   "2",    "3",   "5",   "10", "20",
                                                    "-3", "2.5", "19.99", "0.1", "0.2", "2.0"};
  return kNumbers;
}

// --- literals ---

std::string Grammar::Operator() {
  return random_.Pick<std::string>({"=", "!=", "<", "<=", ">", ">=", ">=", "<"});
}

Term Grammar::DurationLiteral() {
  Millis duration = random_.Pick(words_.durations);
  if (random_.Percent(10)) duration += random_.From(-1, 1);
  return Make(Sort::kDuration, DurationText(duration));
}

Term Grammar::NumberLiteral() {
  return Make(Sort::kNumber, random_.Percent(60) ? std::to_string(random_.Below(5))
                                                 : random_.Pick(NumberTexts()));
}

Term Grammar::TimeLiteral() {
  const std::string text = FormatRfc3339(random_.Pick(words_.instants));
  if (random_.Percent(20)) return Make(Sort::kTime, text.substr(0, 10));
  if (random_.Percent(20)) return Make(Sort::kTime, text.substr(0, text.size() - 1));  // local
  return Make(Sort::kTime, text);
}

Term Grammar::Literal() {
  switch (random_.Below(5)) {
    case 0: case 1: return Make(Sort::kValue, random_.Pick(NumberTexts()));
    case 2: return Make(Sort::kValue, random_.Percent(50) ? "true" : "false");
    default: return Make(Sort::kValue, StringText(random_.Pick(Texts())));
  }
}

// --- selectors and windows ---

// Some selectors have alternatives with filters; two of them may name the same event.
Grammar::Events Grammar::Select(int depth) {
  if (depth > 0 && random_.Percent(10)) {
    Events one = Select(depth - 1);
    Events other = Select(depth - 1);
    const bool declared = one.declared && other.declared;
    Term either = Make(Sort::kSelector, random_.Percent(70) ? "($ or $)" : "($ or c or $)",
                       {std::move(one.selector), std::move(other.selector)});
    const bool alike = declared && either.pattern == "($ or $)";
    if (random_.Percent(75)) return {std::move(either), alike};
    return {Make(Sort::kSelector, "${$}", {std::move(either), Filter(1, alike)}), alike};
  }
  static const std::vector<std::string> kNames = {
      "a", "a", "b", "b", "c", "page_viewed", "any", "(a or b)", "(b or page_viewed)"};
  const std::string name = random_.Pick(kNames);
  const bool declared = name == "a";
  if (random_.Percent(72)) return {Make(Sort::kSelector, name), declared};
  return {Make(Sort::kSelector, name + "{$}", {Filter(2, declared)}), declared};
}

Term Grammar::Filter(int depth, bool declared) {
  if (depth > 0 && random_.Percent(30)) {
    const std::string pattern = random_.Pick<std::string>({"($ and $)", "($ or $)"});
    return Make(Sort::kFilter, pattern, {Filter(depth - 1, declared), Filter(depth - 1, declared)});
  }
  if (depth > 0 && random_.Percent(15)) {
    return Make(Sort::kFilter, "not ($)", {Filter(depth - 1, declared)});
  }
  return declared && random_.Percent(70) ? DeclaredTest() : Test();
}

// A test of a property whose type the plan declares.
Term Grammar::DeclaredTest() {
  const std::string op = " " + Operator() + " ";
  switch (random_.Below(6)) {
    case 0: return Make(Sort::kFilter, "n" + op + random_.Pick(NumberTexts()));
    case 1: return Make(Sort::kFilter, "i" + op + std::to_string(random_.Below(4)));
    case 2: return Make(Sort::kFilter, "s" + op + StringText(random_.Pick(Texts())));
    case 3: return Make(Sort::kFilter, "when" + op + "$", {TimeLiteral()});
    case 4: return Make(Sort::kFilter, random_.Percent(50) ? "flag = true" : "flag");
    default: return Make(Sort::kFilter, "n * 2 - i" + op + random_.Pick(NumberTexts()));
  }
}

Term Grammar::Test() {
  const std::string property = random_.Pick<std::string>(
      {"p", "p", "q", "tags", "obj.x", "missing", "context.page.path"});
  switch (random_.Below(10)) {
    case 0: return Make(Sort::kFilter, property + " exists");
    case 1: return Make(Sort::kFilter, property + " between $ and $",
                        {NumberLiteral(), NumberLiteral()});
    case 2: return Make(Sort::kFilter, property + " in [$, $, $]",
                        {Literal(), Literal(), Literal()});
    case 3: case 6: {
      Term test = TextTest(Make(Sort::kValue, property));
      test.sort = Sort::kFilter;
      return test;
    }
    case 4: return Make(Sort::kFilter, property + " + q " + Operator() + " $", {NumberLiteral()});
    case 5: return Make(Sort::kFilter, "coalesce(" + property + ", $) " + Operator() + " $",
                        {NumberLiteral(), NumberLiteral()});
    default: return Make(Sort::kFilter, property + " " + Operator() + " $", {Literal()});
  }
}

Term Grammar::TextTest(Term value) {
  if (random_.Percent(20)) {
    const std::string pattern =
        random_.Pick<std::string>({"x", "^.$", "^x", "[a-z]ó", "(x|y)+$", "\\\\d+"});
    return Make(Sort::kBool, "$ matches $",
                {std::move(value), Fixed("\"" + pattern + "\"")});
  }
  const std::string op = random_.Pick<std::string>(
      {"contains", "starts_with", "ends_with", "icontains", "iequals"});
  return Make(Sort::kBool, "$ " + op + " $",
              {std::move(value), Fixed(StringText(random_.Pick<std::string>(
                                     {"x", "X", "Łódź", "łódź", "ÓD", "STRASSE", "Y", ""})))});
}

Term Grammar::Window() {
  switch (random_.Below(18)) {
    case 0: return Make(Sort::kWindow, "");
    case 1: return Make(Sort::kWindow, "[ever]");
    case 2: return Make(Sort::kWindow, "[$ offset $]", {DurationLiteral(), DurationLiteral()});
    case 3: case 10: return Make(Sort::kWindow, random_.Pick<std::string>(
                                           {"[this_hour]", "[today]", "[this_week]",
                                            "[this_month]", "[today]", "[this_hour]"}));
    case 4: case 5: return Make(Sort::kWindow, "[session]");
    case 6: return Make(Sort::kWindow, "[last_session]");
    case 7: case 11: {
      Millis from = random_.Pick(words_.instants);
      Millis to = random_.Pick(words_.instants);
      if (from > to) std::swap(from, to);
      if (from == to) ++to;
      return Make(Sort::kWindow, "[" + FormatRfc3339(from) + " .. " + FormatRfc3339(to) + "]");
    }
    case 8: case 9: case 12: return AnchoredWindow();
    default: return Make(Sort::kWindow, "[$]", {DurationLiteral()});
  }
}

Term Grammar::AnchoredWindow() {
  Term anchor = Time(1);
  if (random_.Percent(60)) {
    anchor = Make(Sort::kTime, random_.Percent(50) ? "first_time($)" : "last_time($)",
                  {Selector()});
  }
  if (words_.exotic && random_.Percent(20)) {
    anchor = Make(Sort::kTime, "$ + $", {std::move(anchor), MovingDuration()});
  }
  if (random_.Percent(50)) return Make(Sort::kWindow, "[since $]", {std::move(anchor)});
  return Make(Sort::kWindow, "[$ after $]", {DurationLiteral(), std::move(anchor)});
}

// --- values ---

Term Grammar::Over(const std::string& function, const std::string& property,
                   const Events& events) {
  std::string before;
  if (function == "quantile") before = random_.Pick<std::string>({"0.5", "0.9", "0", "1"}) + ", ";
  return Make(Sort::kNumber, function + "(" + before + "$." + property + "$)",
              {events.selector, random_.Percent(35) ? Make(Sort::kWindow, "") : Window()});
}

Term Grammar::OverNumbers() {
  const Events events = Select();
  std::vector<std::string> functions;
  for (const AggregateRule& rule : AggregateRules()) {
    functions.insert(functions.end(), static_cast<size_t>(rule.drawn), std::string(rule.name));
  }
  const std::string function = random_.Pick(functions);
  const std::string property = events.declared ? random_.Pick<std::string>({"n", "i"})
                                               : random_.Pick<std::string>({"p", "q", "n"});
  return Over(function, property, events);
}

Term Grammar::NumberLeaf() {
  switch (random_.Below(16)) {
    case 0: return NumberLiteral();
    case 1: return Make(Sort::kNumber, "sessions($)", {[&] {
      Term window = Window();
      return ToText(window).empty() ? Make(Sort::kWindow, "[ever]") : window;
    }()});
    case 2: return Make(Sort::kNumber, "periods($, $, " + std::to_string(random_.From(1, 5)) + ")",
                        {Selector(), DurationLiteral()});
    case 3: return Make(Sort::kNumber, random_.Percent(50) ? "hour()" : "weekday()");
    case 4: return Make(Sort::kNumber, random_.Percent(50) ? "bucket(\"x\")" : "bucket(\"ż y\")");
    case 12:
      if (words_.features.models && random_.Percent(20)) return Make(Sort::kNumber, "score(churn)");
      if (!words_.features.sequences) return NumberLiteral();
      return Sequence(random_.Percent(50) ? "depth" : "matches");
    case 5:
      if (words_.number_metrics.empty()) return NumberLiteral();
      return Make(Sort::kNumber, random_.Pick(words_.number_metrics));
    case 6: case 7: case 8: case 9: case 10: return OverNumbers();
    case 11: return Make(Sort::kNumber, "($ / $)", {Duration(1), DurationLiteral()});
    default: return Make(Sort::kNumber, "count($$)", {Selector(), Window()});
  }
}

Term Grammar::Number(int depth) {
  if (depth <= 0 || random_.Percent(55)) return NumberLeaf();
  const auto below = [&] { return Number(depth - 1); };
  switch (random_.Below(12)) {
    case 0: return Make(Sort::kNumber, "($ + $)", {below(), below()});
    case 1: return Make(Sort::kNumber, "($ - $)", {below(), below()});
    case 2: return Make(Sort::kNumber, "($ * $)", {below(), below()});
    case 3: return Make(Sort::kNumber, "($ / $)", {below(), below()});
    case 4: return Make(Sort::kNumber, "abs($)", {below()});
    case 5: return Make(Sort::kNumber, "round($)", {below()});
    case 6: return Make(Sort::kNumber, "min($, $)", {below(), NumberLiteral()});
    case 7: return Make(Sort::kNumber, "max($, $, 2)", {below(), below()});
    case 8: return Make(Sort::kNumber, "clamp($, 1, 3)", {below()});
    case 9: return Make(Sort::kNumber, "scale($, $, 10)", {below(), NumberLiteral()});
    case 10: return Make(Sort::kNumber, "log1p($)", {below()});
    default: return Make(Sort::kNumber, "coalesce($, $)", {below(), NumberLiteral()});
  }
}

Term Grammar::MovingNumber(int depth) {
  const auto ratio = [&] {
    return Make(Sort::kNumber, "($ / $)", {MovingDuration(), DurationLiteral()});
  };
  if (depth <= 0 || random_.Percent(30)) return ratio();
  const auto below = [&] { return MovingNumber(depth - 1); };
  switch (random_.Below(12)) {
    case 0: return Make(Sort::kNumber, "($ + $)", {below(), Number(1)});
    case 1: return Make(Sort::kNumber, "($ - $)", {Number(1), below()});
    case 2: return Make(Sort::kNumber, "($ * $)", {below(), Number(0)});
    case 3: return Make(Sort::kNumber, "($ / $)", {Number(0), below()});
    case 4: return Make(Sort::kNumber, "abs($)", {below()});
    case 5: return Make(Sort::kNumber, "round($)", {below()});
    case 6: return Make(Sort::kNumber, "min($, $)", {below(), Number(0)});
    case 7: return Make(Sort::kNumber, "clamp($, 1, 3)", {below()});
    case 8: return Make(Sort::kNumber, "scale($, 0, 4)", {below()});
    case 9: return Make(Sort::kNumber, "log1p($)", {below()});
    case 10: return Make(Sort::kNumber, "($ + $)", {ratio(), ratio()});
    default: return Make(Sort::kNumber, "coalesce($, $)", {below(), NumberLiteral()});
  }
}

Term Grammar::Duration(int depth) {
  switch (depth <= 0 ? random_.Below(2) : random_.Below(5)) {
    case 0: return DurationLiteral();
    case 1: return Make(Sort::kDuration, random_.Percent(50) ? "duration([session])"
                                                             : "duration([last_session])");
    case 2: return Make(Sort::kDuration, "($ - $)", {Time(depth - 1), Time(depth - 1)});
    case 3: return Make(Sort::kDuration, "($ + $)", {Duration(depth - 1), Duration(depth - 1)});
    default: return Make(Sort::kDuration, "abs($)", {Duration(depth - 1)});
  }
}

Term Grammar::MovingDuration() {
  const std::string function = random_.Percent(65) ? "since" : "age";
  return Make(Sort::kDuration, function + "($$)",
              {Selector(), random_.Percent(60) ? Make(Sort::kWindow, "") : Window()});
}

Term Grammar::Time(int depth) {
  switch (depth <= 0 ? random_.Below(3) : random_.Below(7)) {
    case 0: return TimeLiteral();
    case 1: case 2:
      return Make(Sort::kTime, random_.Percent(50) ? "first_time($$)" : "last_time($$)",
                  {Selector(), random_.Percent(60) || depth <= 0 ? Make(Sort::kWindow, "")
                                                                 : Window()});
    case 3: return Make(Sort::kTime, "date()");
    case 4: return Make(Sort::kTime, "($ + $)", {Time(depth - 1), DurationLiteral()});
    case 5: return Make(Sort::kTime, "coalesce($, $)", {Time(depth - 1), TimeLiteral()});
    default:
      return Make(Sort::kTime,
                  random_.Pick<std::string>({"min", "max", "first", "last"}) + "(a.when$)",
                  {depth > 0 && random_.Percent(30) ? Window() : Make(Sort::kWindow, "")});
  }
}

Term Grammar::Dynamic() {
  if (random_.Percent(40)) {
    return Make(Sort::kValue, "trait." + random_.Pick<std::string>(
                                             {"plan", "plan", "age", "vip", "address.city"}));
  }
  static const std::vector<std::string> kNames = {"b", "c", "any", "page_viewed", "(a or b)"};
  const std::string function =
      random_.Pick<std::string>({"first", "last", "last", "mode", "min", "max"});
  const std::string property =
      random_.Pick<std::string>({"p", "p", "q", "obj.x", "tags", "context.page.path", "s"});
  return Make(Sort::kValue, function + "($." + property + "$)",
              {Make(Sort::kSelector, random_.Pick(kNames)), Window()});
}

Term Grammar::List() {
  if (words_.features.keys && !in_key_ && random_.Percent(40)) {
    in_key_ = true;
    Term value = words_.exotic && random_.Percent(30) ? MovingNumber(1) : Number(1);
    in_key_ = false;
    return Make(Sort::kFixed,
                "top(" + random_.Pick<std::string>({"k", "k", "p"}) + ": $, " +
                    std::to_string(random_.From(1, 3)) + ")",
                {std::move(value)});
  }
  return Make(Sort::kFixed,
              "list($." + random_.Pick<std::string>({"p", "q", "s"}) + "$, " +
                  std::to_string(random_.From(1, 4)) + ")",
              {Selector(), Window()});
}

// --- conditions ---

Term Grammar::Compared(Term left, Term right) {
  if (random_.Percent(10)) {
    return Make(Sort::kBool, "($ between $ and $)", {std::move(left), right, right});
  }
  return Make(Sort::kBool, "($ " + Operator() + " $)", {std::move(left), std::move(right)});
}

Term Grammar::DynamicTest() {
  switch (random_.Below(6)) {
    case 0: return Make(Sort::kBool, "($ exists)", {Dynamic()});
    case 1: return Make(Sort::kBool, "($)", {TextTest(Dynamic())});
    case 2: return Make(Sort::kBool, "($ in [$, $])", {Dynamic(), Literal(), Literal()});
    case 3: return Make(Sort::kBool, "(coalesce($, $) = $)",
                        {Dynamic(), NumberLiteral(), NumberLiteral()});
    default: return Make(Sort::kBool, "($ " + random_.Pick<std::string>({"=", "!=", "="}) + " $)",
                         {Dynamic(), Literal()});
  }
}

Term Grammar::ListTest() {
  if (random_.Percent(50)) return Make(Sort::kBool, "($ contains $)", {List(), Literal()});
  return Make(Sort::kBool, "($ in $)", {Dynamic(), List()});
}

// A condition over properties whose type the plan declares.
Term Grammar::DeclaredLeaf() {
  const Term a = Make(Sort::kSelector, "a");
  const std::string function = random_.Pick<std::string>({"first", "last", "mode", "min", "max"});
  switch (random_.Below(3)) {
    case 0: return Make(Sort::kBool, "(" + function + "($.s$) " + Operator() + " $)",
                        {a, Window(), Fixed(StringText(random_.Pick(Texts())))});
    case 1: return Make(Sort::kBool, "(last($.flag$) = true)", {a, Window()});
    default: return Make(Sort::kBool, "(" + function + "($.when$) " + Operator() + " $)",
                         {a, Window(), Time(1)});
  }
}

// Each step is joined to the previous steps, so that a sequence can be shrunk to its beginning.
Term Grammar::Sequence(const std::string& function) {
  Term steps = Make(Sort::kSteps, "$", {Selector()});
  const int64_t more = random_.From(0, 3);
  for (int64_t i = 0; i < more; ++i) {
    Term within = Make(Sort::kOptional, "");
    if (random_.Percent(30)) within = Make(Sort::kOptional, " within $", {DurationLiteral()});
    if (random_.Percent(25)) {
      steps = Make(Sort::kSteps, "$ -> not $ -> $$",
                   {std::move(steps), Selector(), Selector(), std::move(within)});
    } else {
      steps = Make(Sort::kSteps, random_.Percent(25) ? "$ => $$" : "$ -> $$",
                   {std::move(steps), Selector(), std::move(within)});
    }
  }
  Term by = Make(Sort::kOptional, "");
  if (random_.Percent(30)) by = Make(Sort::kOptional, random_.Percent(80) ? " by k" : " by p");
  const Sort sort = function == "sequence" ? Sort::kBool : Sort::kNumber;
  return Make(sort, function + "($$)$", {std::move(steps), std::move(by), Window()});
}

Term Grammar::Some(int depth) {
  in_key_ = true;
  Term holds = Bool(depth);
  in_key_ = false;
  return Make(Sort::kBool, random_.Percent(75) ? "some(k: $)" : "some(p: $)", {std::move(holds)});
}

Term Grammar::Membership() {
  const std::string segment = random_.Pick(words_.segments);
  if (random_.Percent(40)) {
    return Make(Sort::kBool, "in_segment(" + segment + ") for $", {DurationLiteral()});
  }
  Term window = Window();
  while (ToText(window).find("session]") != std::string::npos) window = Window();
  return Make(Sort::kBool, (random_.Percent(50) ? "entered(" : "left(") + segment + "$)",
              {std::move(window)});
}

// A condition that uses an optional feature; of the basic language if there are no such features.
Term Grammar::FeatureLeaf(int depth) {
  const Features& has = words_.features;
  switch (random_.Below(7)) {
    case 0:
    case 1:
      if (has.sequences) return Sequence("sequence");
      break;
    case 2:
    case 3:
      if (has.keys && !in_key_) return Some(std::max(depth - 1, 0));
      break;
    case 4:
    case 5:
      if (has.memberships && !words_.segments.empty()) return Membership();
      break;
    default:
      if (has.models && random_.Percent(20)) return Make(Sort::kBool, "(cluster(styles) exists)");
      if (has.consents)
        return Make(Sort::kBool, random_.Percent(60) ? "consent(email)" : "consent(\"ad s\")");
  }
  return Leaf(depth);
}

Term Grammar::Leaf(int depth) {
  switch (random_.Below(20)) {
    case 0: case 1: case 2: case 3: case 4:
      return Compared(Make(Sort::kNumber, "count($$)", {Selector(), Window()}), NumberLiteral());
    case 5: case 6: return Compared(Number(depth), NumberLiteral());
    case 7: return Compared(Number(depth), Number(1));
    case 8: return Compared(MovingNumber(depth), NumberLiteral());
    case 9: return Compared(MovingNumber(1), Number(1));
    case 10: case 11: return Compared(MovingDuration(), DurationLiteral());
    case 12: return Compared(Duration(2), DurationLiteral());
    case 13: return Compared(Time(2), Time(1));
    case 14: return DynamicTest();
    case 15: return ListTest();
    case 16: return DeclaredLeaf();
    case 17:
      return Compared(MovingDuration(), random_.Percent(50) ? MovingDuration() : Duration(1));
    case 18:
      if (!words_.segments.empty()) {
        return Make(Sort::kBool, "in_segment(" + random_.Pick(words_.segments) + ")");
      }
      [[fallthrough]];
    default:
      return Make(Sort::kBool, "($ then no $ for $)", {Selector(), Selector(), DurationLiteral()});
  }
}

Term Grammar::Clocked() {
  const auto text = [&](int64_t least, int64_t most) {
    return std::to_string(random_.From(least, most));
  };
  switch (random_.Below(8)) {
    case 0: return Make(Sort::kBool, "(weekday() >= " + text(2, 7) + ")");
    case 1: return Make(Sort::kBool, "(hour() in [" + text(0, 11) + ", " + text(12, 23) + "])");
    case 2: return Make(Sort::kBool, "(hour() < " + text(1, 23) + " and $)", {Bool(1)});
    case 3: return Make(Sort::kBool, "(hour() > " + text(0, 22) + " or $)", {Bool(1)});
    case 4: return Make(Sort::kBool, "(hour() + weekday() > $)", {Number(1)});
    case 5: return Make(Sort::kBool, "(date() + $ > $)", {DurationLiteral(), Time(1)});
    default: return Make(Sort::kBool, "(hour() >= " + text(1, 23) + ")");
  }
}

Term Grammar::Bool(int depth) {
  if (depth <= 0 || random_.Percent(50)) {
    return random_.Percent(45) ? FeatureLeaf(depth) : Leaf(depth);
  }
  switch (random_.Below(5)) {
    case 0: case 1: return Make(Sort::kBool, "($ and $)", {Bool(depth - 1), Bool(depth - 1)});
    case 2: case 3: return Make(Sort::kBool, "($ or $)", {Bool(depth - 1), Bool(depth - 1)});
    default: return Make(Sort::kBool, "(not $)", {Bool(depth - 1)});
  }
}

}  // namespace attune::oracle

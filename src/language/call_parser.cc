// Functions: which there are, and what stands between their parentheses.
#include <algorithm>
#include <map>
#include <utility>

#include "language/expression_parser.h"
#include "language/nearest.h"

namespace attune {

using Kind = Expression::Kind;

// How a function's arguments are written.
enum class Form {
  kEvents,      // S[W]
  kProperty,    // S.p[W]
  kQuantile,    // number, S.p[W]
  kListOf,      // S.p[W], number
  kSessions,    // [W]
  kDuration,    // [session] or [last_session]
  kPeriods,     // S, duration, number
  kSequence,    // S -> S …, with the window behind the closing parenthesis
  kKeyed,       // p: E, or p: E, number
  kName,        // a quoted name
  kSegment,     // a segment's name, quoted or not; `for 3d` may stand behind the closing parenthesis
  kChange,      // a segment's name and a window
  kPurpose,     // a name, quoted or not
  kModel,
  kNothing,     // ()
  kValues,      // expressions
};

struct Function {
  Form form;
  Kind kind;
  size_t least = 0;  // of kValues: how many arguments
  size_t most = 0;
};

namespace {

const std::map<std::string, Function, std::less<>>& Functions() {
  static const std::map<std::string, Function, std::less<>> kFunctions = {
      {"count", {Form::kEvents, Kind::kCount}},
      {"sum", {Form::kProperty, Kind::kSum}},
      {"avg", {Form::kProperty, Kind::kAvg}},
      {"min", {Form::kProperty, Kind::kAggregateMin}},  // also a function of values: see MinOrMax
      {"max", {Form::kProperty, Kind::kAggregateMax}},
      {"distinct", {Form::kProperty, Kind::kDistinct}},
      {"first", {Form::kProperty, Kind::kFirst}},
      {"last", {Form::kProperty, Kind::kLast}},
      {"mode", {Form::kProperty, Kind::kMode}},
      {"quantile", {Form::kQuantile, Kind::kQuantile}},
      {"list", {Form::kListOf, Kind::kListOf}},
      {"first_time", {Form::kEvents, Kind::kFirstTime}},
      {"last_time", {Form::kEvents, Kind::kLastTime}},
      {"since", {Form::kEvents, Kind::kSince}},
      {"age", {Form::kEvents, Kind::kAge}},
      {"sessions", {Form::kSessions, Kind::kSessions}},
      {"duration", {Form::kDuration, Kind::kDuration}},
      {"periods", {Form::kPeriods, Kind::kPeriods}},
      {"sequence", {Form::kSequence, Kind::kSequence}},
      {"depth", {Form::kSequence, Kind::kSequenceDepth}},
      {"matches", {Form::kSequence, Kind::kSequenceMatches}},
      {"some", {Form::kKeyed, Kind::kSome}},
      {"top", {Form::kKeyed, Kind::kTop}},
      {"in_segment", {Form::kSegment, Kind::kInSegment}},
      {"entered", {Form::kChange, Kind::kEntered}},
      {"left", {Form::kChange, Kind::kLeft}},
      {"consent", {Form::kPurpose, Kind::kConsent}},
      {"score", {Form::kModel, Kind::kScore}},
      {"cluster", {Form::kModel, Kind::kCluster}},
      {"hour", {Form::kNothing, Kind::kHour}},
      {"weekday", {Form::kNothing, Kind::kWeekday}},
      {"date", {Form::kNothing, Kind::kDate}},
      {"bucket", {Form::kName, Kind::kBucket}},
      {"coalesce", {Form::kValues, Kind::kCoalesce, 2, kManyValues}},
      {"abs", {Form::kValues, Kind::kAbs, 1, 1}},
      {"round", {Form::kValues, Kind::kRound, 1, 1}},
      {"log1p", {Form::kValues, Kind::kLog1p, 1, 1}},
      {"clamp", {Form::kValues, Kind::kClamp, 3, 3}},
      {"scale", {Form::kValues, Kind::kScale, 3, 3}},
  };
  return kFunctions;
}

}  // namespace

ExpressionPtr ExpressionParser::Call() {
  const std::string name = Now().text;
  const size_t offset = Now().begin;
  const auto& functions = Functions();
  const auto found = functions.find(name);
  if (found == functions.end()) {
    std::vector<std::string> known;
    for (const auto& [function, form] : functions) known.push_back(function);
    return Fail(offset, "there is no function \"" + name + "\"" + DidYouMean(name, known));
  }
  const Function& function = found->second;
  if (in_filter_ && function.form != Form::kValues && name != "min" && name != "max") {
    return Fail(offset, name + "(…) looks at history; between braces only the event's own properties are seen");
  }
  TakeToken();
  TakeToken();  // (
  if (!Enter(offset)) return nullptr;
  ExpressionPtr e = Make(function.kind, offset, Type::kNumber);
  const bool read = ReadArguments(function, name, e.get());
  Leave();
  if (!read || !Need(")")) return nullptr;
  if (function.form == Form::kSequence && !ReadWindow(&e->window)) return nullptr;
  if (function.form == Form::kSegment && TakeWord("for") && !ReadFor(e.get())) return nullptr;
  return e;
}

bool ExpressionParser::ReadArguments(const Function& function, const std::string& name, Expression* e) {
  switch (function.form) {
    case Form::kEvents: return ReadEvents(e);
    case Form::kProperty:
      if (name == "min" || name == "max") return MinOrMax(name, e);
      return ReadProperty(name, e);
    case Form::kQuantile:
      if (!ReadNumber("a share between 0 and 1", 0, 1, false, e) || !Need(",")) return false;
      return ReadProperty(name, e);
    case Form::kListOf:
      if (!ReadProperty(name, e) || !Need(",")) return false;
      return ReadNumber("how many values to list", 1, 1000, true, e);
    case Form::kSessions: return ReadSessions(e);
    case Form::kDuration: return ReadSessionWindow(e);
    case Form::kPeriods: return ReadPeriods(e);
    case Form::kSequence: return ReadSequence(name, e);
    case Form::kKeyed: return ReadKeyed(name, e);
    case Form::kName: return ReadName(e);
    case Form::kSegment: e->type = Type::kBool; return ReadSegmentName(e);
    case Form::kChange: return ReadSegmentChange(name, e);
    case Form::kPurpose: e->type = Type::kBool; return ReadPlainName("the name of a purpose", e);
    case Form::kModel: e->dynamic = e->kind == Kind::kCluster; return ReadPlainName("the name of a model", e);
    case Form::kNothing:
      e->type = e->kind == Kind::kDate ? Type::kTime : Type::kNumber;
      return true;
    case Form::kValues: return ReadValues(function.least, function.most, name, e);
  }
  return false;
}

bool ExpressionParser::ReadNumber(const std::string& what, double least, double most, bool whole, Expression* e) {
  const Token& token = Now();
  if (token.kind != Token::Kind::kNumber) return Expected(what), false;
  e->number = token.number;
  if (e->number < least || e->number > most || (whole && e->number != static_cast<int64_t>(e->number))) {
    Mistaken(token.begin, "expected " + what + ", found " + Found());
  }
  TakeToken();
  return true;
}

bool ExpressionParser::ReadName(Expression* e) {
  if (Now().kind != Token::Kind::kString) return Expected("a name in quotation marks"), false;
  e->text = TakeToken().text;
  return true;
}

bool ExpressionParser::ReadValues(size_t least, size_t most, const std::string& name, Expression* e) {
  const size_t offset = Now().begin;
  while (!Is(")")) {
    ExpressionPtr arg = Or();
    if (!arg) return false;
    e->args.push_back(std::move(arg));
    if (!Take(",")) break;
  }
  if (e->args.size() < least || e->args.size() > most) {
    if (!Is(")")) return Expected("\",\" or \")\""), false;
    const std::string many = least == most ? std::to_string(least) : std::to_string(least) + " or more";
    Fail(offset, name + "(…) takes " + many + " values, found " + std::to_string(e->args.size()));
    return false;
  }
  TypeOfValues(name, e);
  return true;
}

void ExpressionParser::TypeOfValues(const std::string& name, Expression* e) {
  const Expression* typed = nullptr;  // the first argument whose type is known
  for (const ExpressionPtr& arg : e->args) {
    if (!typed && !arg->dynamic && arg->type != Type::kNull) typed = arg.get();
  }
  if (typed) {
    for (const ExpressionPtr& arg : e->args) RequireAlike(*typed, *arg);
  }
  e->dynamic = typed == nullptr;
  e->type = typed ? typed->type : Type::kNull;
  const bool numbers = e->kind == Kind::kRound || e->kind == Kind::kLog1p;
  for (const ExpressionPtr& arg : e->args) {
    if (numbers) {
      RequireType(*arg, Type::kNumber, "for " + name + "(…)");
    } else if (e->kind != Kind::kCoalesce) {
      RequireOrdered(*arg);
    }
  }
  if (e->kind == Kind::kAbs && typed && typed->type != Type::kDuration) RequireType(*typed, Type::kNumber, "for abs(…)");
  if (e->kind == Kind::kScale && typed && typed->type != Type::kDuration && typed->type != Type::kTime) {
    RequireType(*typed, Type::kNumber, "for scale(…)");
  }
  if (numbers || e->kind == Kind::kScale) e->type = Type::kNumber, e->dynamic = false;
}

}  // namespace attune

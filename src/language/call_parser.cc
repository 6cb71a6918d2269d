// Functions and their arguments.
#include <algorithm>
#include <map>
#include <utility>

#include "language/expression_parser.h"
#include "language/nearest.h"

namespace attune {

using Kind = Expression::Kind;

// How a function's arguments are written.
enum class Form {
  kAggregate,   // see Aggregate::Arguments
  kAggregateOrValues,  // S.p[W], or two expressions or more
  kSequence,    // S -> S …, with the window after the closing parenthesis
  kKeyed,       // p: E, or p: E, number
  kName,        // a quoted name
  kSegment,     // a segment's name, quoted or not; `for 3d` may follow the closing parenthesis
  kChange,      // a segment's name and a window
  kPurpose,     // a name, quoted or not
  kModel,
  kNothing,     // ()
  kValues,      // expressions
};

struct Function {
  Form form;
  Kind kind;
  size_t least = 0;  // for kValues: the minimum number of arguments
  size_t most = 0;
};

namespace {

const std::map<std::string, Function, std::less<>>& Functions() {
  static const auto kFunctions = [] {
    std::map<std::string, Function, std::less<>> functions = {
        {"min", {Form::kAggregateOrValues, Kind::kMin}},
        {"max", {Form::kAggregateOrValues, Kind::kMax}},
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
    for (const Aggregate& aggregate : Aggregates()) {
      functions.emplace(aggregate.name, Function{Form::kAggregate, Kind::kAggregate});  // min and max exist already
    }
    return functions;
  }();
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
  if (in_filter_ && function.form != Form::kValues && function.form != Form::kAggregateOrValues) {
    return Fail(offset, name + "(…) reads the history; inside braces only the event's own properties are available");
  }
  TakeToken();
  TakeToken();  // (
  if (!Enter(offset)) return nullptr;
  ExpressionPtr e = Make(function.kind, offset, Type::kNumber);
  if (e->kind == Kind::kAggregate) e->aggregate = FindAggregate(name);
  const bool read = ReadArguments(function, name, e.get());
  Leave();
  if (!read || !Need(")")) return nullptr;
  if (function.form == Form::kSequence && !ReadWindow(&e->window)) return nullptr;
  if (function.form == Form::kSegment && TakeWord("for") && !ReadFor(e.get())) return nullptr;
  return e;
}

bool ExpressionParser::ReadArguments(const Function& function, const std::string& name, Expression* e) {
  switch (function.form) {
    case Form::kAggregate: return ReadAggregate(e);
    case Form::kAggregateOrValues: return ReadAggregateOrValues(name, e);
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

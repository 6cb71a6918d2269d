#include "plan/parser.h"

#include <algorithm>
#include <map>
#include <utility>

#include "event/name.h"
#include "event/pattern.h"
#include "plan/nearest.h"
#include "plan/token.h"

namespace attune {
namespace {

using Kind = Expression::Kind;

constexpr int kMaxDepth = 200;  // an expression nested deeper is refused: parsing and evaluation recurse

// How a function's arguments are written.
enum class Form {
  kEvents,      // S[W]
  kProperty,    // S.p[W]
  kQuantile,    // number, S.p[W]
  kListOf,      // S.p[W], number
  kSessions,    // [W]
  kDuration,    // [session] or [last_session]
  kPeriods,     // S, duration, number
  kName,        // a quoted name
  kSegment,     // a segment's name, quoted or not
  kNothing,     // ()
  kValues,      // expressions
};

struct Function {
  Form form;
  Kind kind;
  size_t least = 0;  // of kValues: how many arguments
  size_t most = 0;
};

constexpr size_t kMany = 1000;

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
      {"in_segment", {Form::kSegment, Kind::kInSegment}},
      {"hour", {Form::kNothing, Kind::kHour}},
      {"weekday", {Form::kNothing, Kind::kWeekday}},
      {"date", {Form::kNothing, Kind::kDate}},
      {"bucket", {Form::kName, Kind::kBucket}},
      {"coalesce", {Form::kValues, Kind::kCoalesce, 2, kMany}},
      {"abs", {Form::kValues, Kind::kAbs, 1, 1}},
      {"round", {Form::kValues, Kind::kRound, 1, 1}},
      {"log1p", {Form::kValues, Kind::kLog1p, 1, 1}},
      {"clamp", {Form::kValues, Kind::kClamp, 3, 3}},
      {"scale", {Form::kValues, Kind::kScale, 3, 3}},
  };
  return kFunctions;
}

const char* const kLater[] = {"sequence", "depth", "matches", "some", "top", "entered", "left", "consent", "score", "cluster"};

class Parser {
 public:
  Parser(std::string_view text, const Names& names, const Zone& zone, std::vector<Mistake>* mistakes)
      : text_(text), tokens_(Tokenise(text)), names_(names), zone_(zone), mistakes_(mistakes) {}

  ExpressionPtr Whole() {
    ExpressionPtr e = Or();
    if (e && !AtEnd()) e = Expected("an operator or the end of the expression");
    return failed_ ? nullptr : std::move(e);
  }

  std::optional<Selector> WholeSelector() {
    Selector selector;
    if (!ReadSelector(&selector)) return std::nullopt;
    if (!AtEnd()) Expected("the end of the selector");
    if (failed_) return std::nullopt;
    return selector;
  }

 private:
  // --- tokens ---

  const Token& Now() const { return tokens_[at_]; }
  const Token& Next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  bool AtEnd() const { return Now().kind == Token::Kind::kEnd; }
  bool Is(std::string_view symbol) const { return Now().kind == Token::Kind::kSymbol && Now().text == symbol; }
  bool IsWord(std::string_view word) const { return Now().kind == Token::Kind::kIdentifier && Now().text == word; }
  bool Take(std::string_view symbol) { return Is(symbol) && (++at_, true); }
  bool TakeWord(std::string_view word) { return IsWord(word) && (++at_, true); }

  std::string Found() const {
    if (AtEnd()) return "the end";
    return "\"" + std::string(text_.substr(Now().begin, Now().end - Now().begin)) + "\"";
  }

  // Reports and gives up on this expression.
  ExpressionPtr Expected(const std::string& what) {
    if (Now().kind == Token::Kind::kBad) return Fail(Now().begin, Now().text);
    return Fail(Now().begin, "expected " + what + ", found " + Found());
  }
  ExpressionPtr Fail(size_t offset, std::string message) {
    if (!stopped_) mistakes_->push_back({offset, std::move(message)});
    stopped_ = failed_ = true;
    return nullptr;
  }
  // Reports and goes on, so that one reading finds every mistake of meaning.
  void Mistaken(size_t offset, std::string message) {
    if (!stopped_) mistakes_->push_back({offset, std::move(message)});
    failed_ = true;
  }
  void Warn(size_t offset, std::string message) { mistakes_->push_back({offset, std::move(message), true}); }

  bool Need(std::string_view symbol) {
    if (Take(symbol)) return true;
    Expected("\"" + std::string(symbol) + "\"");
    return false;
  }

  static ExpressionPtr Make(Kind kind, size_t offset, Type type, bool dynamic = false) {
    auto e = std::make_unique<Expression>();
    e->kind = kind;
    e->location.column = static_cast<int>(offset);
    e->type = type;
    e->dynamic = dynamic;
    return e;
  }
  static ExpressionPtr Make(Kind kind, size_t offset, Type type, ExpressionPtr a, ExpressionPtr b) {
    ExpressionPtr e = Make(kind, offset, type);
    e->args.push_back(std::move(a));
    e->args.push_back(std::move(b));
    return e;
  }
  static ExpressionPtr Number(double n, size_t offset) {
    ExpressionPtr e = Make(Kind::kLiteral, offset, Type::kNumber);
    e->literal = Value::Number(n);
    return e;
  }
  static ExpressionPtr Duration(Millis d, size_t offset) {
    ExpressionPtr e = Make(Kind::kLiteral, offset, Type::kDuration);
    e->literal = Value::Duration(d);
    return e;
  }

  // --- types ---

  static bool Fits(const Expression& e, Type type) {
    return e.dynamic || e.type == type || e.type == Type::kNull;
  }
  static std::string Kindly(const Expression& e) {
    return e.type == Type::kNull ? "null" : "a " + std::string(TypeName(e.type));
  }
  void RequireType(const Expression& e, Type type, const std::string& where) {
    if (Fits(e, type)) return;
    Mistaken(static_cast<size_t>(e.location.column),
             "expected a " + std::string(TypeName(type)) + " " + where + ", found " + ToText(e) + ", " + Kindly(e));
  }
  // Both of one type, as comparison needs it.
  void RequireAlike(const Expression& a, const Expression& b) {
    if (a.dynamic || b.dynamic || a.type == b.type || a.type == Type::kNull || b.type == Type::kNull) return;
    Mistaken(static_cast<size_t>(b.location.column), "expected a " + std::string(TypeName(a.type)) + " to compare with " +
                                                         ToText(a) + ", found " + ToText(b) + ", " + Kindly(b));
  }
  void RequireOrdered(const Expression& e) {
    if (e.dynamic || (e.type != Type::kBool && e.type != Type::kList)) return;
    Mistaken(static_cast<size_t>(e.location.column),
             "expected something that has an order, found " + ToText(e) + ", " + Kindly(e));
  }

  // --- operators, weakest first ---

  ExpressionPtr Or() { return Chain("or", Kind::kOr, &Parser::And); }
  ExpressionPtr And() { return Chain("and", Kind::kAnd, &Parser::Not); }

  ExpressionPtr Chain(std::string_view word, Kind kind, ExpressionPtr (Parser::*operand)()) {
    if (++depth_ > kMaxDepth) return Fail(Now().begin, "the expression is nested too deeply");
    ExpressionPtr left = (this->*operand)();
    while (left && IsWord(word)) {
      const size_t offset = Now().begin;
      ++at_;
      ExpressionPtr right = (this->*operand)();
      if (!right) return nullptr;
      const std::string where = "beside \"" + std::string(word) + "\"";
      RequireType(*left, Type::kBool, where);
      RequireType(*right, Type::kBool, where);
      if (left->kind == kind) {
        left->args.push_back(std::move(right));
      } else {
        left = Make(kind, offset, Type::kBool, std::move(left), std::move(right));
      }
    }
    --depth_;
    return left;
  }

  ExpressionPtr Not() {
    if (!IsWord("not")) return Comparison();
    const size_t offset = Now().begin;
    ++at_;
    if (++depth_ > kMaxDepth) return Fail(offset, "the expression is nested too deeply");
    ExpressionPtr operand = Not();
    --depth_;
    if (!operand) return nullptr;
    RequireType(*operand, Type::kBool, "after \"not\"");
    ExpressionPtr e = Make(Kind::kNot, offset, Type::kBool);
    e->args.push_back(std::move(operand));
    return e;
  }

  ExpressionPtr Comparison() {
    ExpressionPtr left = Sum();
    if (!left) return nullptr;
    static constexpr std::pair<std::string_view, Kind> kSymbols[] = {
        {"=", Kind::kEqual},      {"!=", Kind::kNotEqual}, {"<", Kind::kLess},
        {"<=", Kind::kLessEqual}, {">", Kind::kGreater},   {">=", Kind::kGreaterEqual}};
    const size_t offset = Now().begin;
    if (Is("==")) return Fail(offset, "expected \"=\", found \"==\"");
    for (const auto& [symbol, kind] : kSymbols) {
      if (Take(symbol)) return Compared(kind, offset, std::move(left));
    }
    if (Now().kind != Token::Kind::kIdentifier) return left;
    static constexpr std::pair<std::string_view, Kind> kTextual[] = {{"contains", Kind::kContains},
                                                                     {"starts_with", Kind::kStartsWith},
                                                                     {"ends_with", Kind::kEndsWith},
                                                                     {"icontains", Kind::kIContains},
                                                                     {"iequals", Kind::kIEquals}};
    for (const auto& [word, kind] : kTextual) {
      if (TakeWord(word)) return Textual(kind, word, offset, std::move(left));
    }
    if (TakeWord("in")) return In(offset, std::move(left));
    if (TakeWord("between")) return Between(offset, std::move(left));
    if (TakeWord("matches")) return Matches(offset, std::move(left));
    if (TakeWord("exists")) {
      ExpressionPtr e = Make(Kind::kExists, offset, Type::kBool);
      e->args.push_back(std::move(left));
      return e;
    }
    return left;
  }

  ExpressionPtr Compared(Kind kind, size_t offset, ExpressionPtr left) {
    ExpressionPtr right = Sum();
    if (!right) return nullptr;
    RequireAlike(*left, *right);
    if (kind != Kind::kEqual && kind != Kind::kNotEqual) {
      RequireOrdered(*left);
      RequireOrdered(*right);
    }
    for (const std::string_view symbol : {"=", "!=", "<", "<=", ">", ">="}) {
      if (Is(symbol)) return Fail(Now().begin, "comparisons do not chain; join two with \"and\", or use \"between\"");
    }
    return Make(kind, offset, Type::kBool, std::move(left), std::move(right));
  }

  ExpressionPtr Textual(Kind kind, std::string_view word, size_t offset, ExpressionPtr left) {
    ExpressionPtr right = Sum();
    if (!right) return nullptr;
    const bool in_list = kind == Kind::kContains && (left->type == Type::kList || left->dynamic);
    if (!in_list) {
      RequireType(*left, Type::kString, "before \"" + std::string(word) + "\"");
      RequireType(*right, Type::kString, "after \"" + std::string(word) + "\"");
    }
    return Make(kind, offset, Type::kBool, std::move(left), std::move(right));
  }

  ExpressionPtr In(size_t offset, ExpressionPtr left) {
    ExpressionPtr right;
    if (Is("[")) {
      right = ListLiteral();
      if (!right) return nullptr;
      for (const ExpressionPtr& item : right->args) RequireAlike(*left, *item);
    } else {
      right = Sum();
      if (!right) return nullptr;
      RequireType(*right, Type::kList, "after \"in\"");
    }
    return Make(Kind::kIn, offset, Type::kBool, std::move(left), std::move(right));
  }

  ExpressionPtr ListLiteral() {
    ExpressionPtr list = Make(Kind::kList, Now().begin, Type::kList);
    ++at_;
    while (!Is("]")) {
      ExpressionPtr item = Unary();
      if (!item) return nullptr;
      if (item->kind != Kind::kLiteral) {
        return Fail(static_cast<size_t>(item->location.column), "expected a literal in the list, found " + ToText(*item));
      }
      list->args.push_back(std::move(item));
      if (!Take(",")) break;
    }
    if (!Need("]")) return nullptr;
    return list;
  }

  ExpressionPtr Between(size_t offset, ExpressionPtr left) {
    ExpressionPtr low = Sum();
    if (!low) return nullptr;
    if (!TakeWord("and")) return Expected("\"and\" and the upper end");
    ExpressionPtr high = Sum();
    if (!high) return nullptr;
    RequireOrdered(*left);
    RequireAlike(*left, *low);
    RequireAlike(*left, *high);
    ExpressionPtr e = Make(Kind::kBetween, offset, Type::kBool, std::move(left), std::move(low));
    e->args.push_back(std::move(high));
    return e;
  }

  ExpressionPtr Matches(size_t offset, ExpressionPtr left) {
    if (Now().kind != Token::Kind::kString) return Expected("a pattern in quotation marks");
    RequireType(*left, Type::kString, "before \"matches\"");
    ExpressionPtr e = Make(Kind::kMatches, offset, Type::kBool);
    e->text = Now().text;
    const auto pattern = Pattern::Compile(e->text);
    if (!pattern.ok()) Mistaken(Now().begin, "the pattern cannot be used: " + pattern.error().message);
    ++at_;
    e->args.push_back(std::move(left));
    return e;
  }

  ExpressionPtr Sum() {
    ExpressionPtr left = Product();
    while (left && (Is("+") || Is("-"))) {
      const size_t offset = Now().begin;
      const Kind kind = Is("+") ? Kind::kAdd : Kind::kSubtract;
      ++at_;
      ExpressionPtr right = Product();
      if (!right) return nullptr;
      left = Arithmetic(kind, offset, std::move(left), std::move(right));
    }
    return left;
  }

  ExpressionPtr Product() {
    ExpressionPtr left = Unary();
    while (left && (Is("*") || Is("/"))) {
      const size_t offset = Now().begin;
      const Kind kind = Is("*") ? Kind::kMultiply : Kind::kDivide;
      ++at_;
      ExpressionPtr right = Unary();
      if (!right) return nullptr;
      left = Arithmetic(kind, offset, std::move(left), std::move(right));
    }
    return left;
  }

  ExpressionPtr Arithmetic(Kind kind, size_t offset, ExpressionPtr a, ExpressionPtr b) {
    const StaticType type = ArithmeticType(kind, *a, *b, offset);
    ExpressionPtr e = Make(kind, offset, type.type, std::move(a), std::move(b));
    e->dynamic = type.dynamic;
    return e;
  }

  StaticType ArithmeticType(Kind kind, const Expression& a, const Expression& b, size_t offset) {
    if (a.dynamic || b.dynamic || a.type == Type::kNull || b.type == Type::kNull) return {Type::kNull, true};
    const bool numbers = a.type == Type::kNumber && b.type == Type::kNumber;
    const bool durations = a.type == Type::kDuration && b.type == Type::kDuration;
    const bool sums = kind == Kind::kAdd || kind == Kind::kSubtract;
    if (numbers) return {Type::kNumber};
    if (durations && sums) return {Type::kDuration};
    if (durations && kind == Kind::kDivide) return {Type::kNumber};
    if (sums && a.type == Type::kTime && b.type == Type::kDuration) return {Type::kTime};
    if (kind == Kind::kAdd && a.type == Type::kDuration && b.type == Type::kTime) return {Type::kTime};
    if (kind == Kind::kSubtract && a.type == Type::kTime && b.type == Type::kTime) return {Type::kDuration};
    static constexpr const char* kNames[] = {"added", "subtracted", "multiplied", "divided"};
    Mistaken(offset, "a " + std::string(TypeName(a.type)) + " and a " + std::string(TypeName(b.type)) +
                         " cannot be " + kNames[static_cast<int>(kind) - static_cast<int>(Kind::kAdd)] +
                         "; expected two numbers" + (sums ? ", two durations, or a time and a duration" : kind == Kind::kDivide ? " or two durations" : ""));
    return {Type::kNull, true};
  }

  ExpressionPtr Unary() {
    if (!Is("-")) return Primary();
    const size_t offset = Now().begin;
    ++at_;
    if (++depth_ > kMaxDepth) return Fail(offset, "the expression is nested too deeply");
    ExpressionPtr operand = Unary();
    --depth_;
    if (!operand) return nullptr;
    if (operand->kind == Kind::kLiteral && operand->type == Type::kNumber) return Number(-operand->literal.number(), offset);
    if (operand->kind == Kind::kLiteral && operand->type == Type::kDuration) return Duration(-operand->literal.duration(), offset);
    if (!Fits(*operand, Type::kDuration)) RequireType(*operand, Type::kNumber, "after \"-\"");
    ExpressionPtr e = Make(Kind::kNegate, offset, operand->type, operand->dynamic);
    e->args.push_back(std::move(operand));
    return e;
  }

  // --- atoms ---

  ExpressionPtr Primary() {
    const size_t offset = Now().begin;
    switch (Now().kind) {
      case Token::Kind::kNumber: return Number(tokens_[at_++].number, offset);
      case Token::Kind::kDuration: return Duration(tokens_[at_++].millis, offset);
      case Token::Kind::kInstant: {
        ExpressionPtr e = Make(Kind::kLiteral, offset, Type::kTime);
        e->literal = Value::Time(ReadInstant());
        return e;
      }
      case Token::Kind::kString: {
        ExpressionPtr e = Make(Kind::kLiteral, offset, Type::kString);
        e->text = tokens_[at_++].text;
        e->literal = Value::String(e->text);
        return e;
      }
      case Token::Kind::kIdentifier: return Word();
      default: break;
    }
    if (Is("(")) return Parenthesised();
    if (Is("[") && in_filter_) return ListLiteral();
    return Expected("a value");
  }

  Millis ReadInstant() {
    const Token& token = tokens_[at_++];
    return token.local ? zone_.FromLocal(token.millis) : token.millis;
  }

  ExpressionPtr Parenthesised() {
    if (!in_filter_) {
      if (ExpressionPtr absence = TryAbsence(); absence || stopped_) return absence;
    }
    ++at_;
    ExpressionPtr e = Or();
    if (!e || !Need(")")) return nullptr;
    // (a and b) and c stays a tree of its own, as written; the value is the same either way.
    return e;
  }

  ExpressionPtr Word() {
    const Token& word = Now();
    const size_t offset = word.begin;
    if (word.text == "true" || word.text == "false") {
      ExpressionPtr e = Make(Kind::kLiteral, offset, Type::kBool);
      e->literal = Value::Bool(word.text == "true");
      ++at_;
      return e;
    }
    if (word.text == "null") {
      ++at_;
      return Make(Kind::kLiteral, offset, Type::kNull);
    }
    const bool called = Next().kind == Token::Kind::kSymbol && Next().text == "(";
    if (called) return Call();
    if (in_filter_) return Property();
    if (word.text == "trait" && Next().text == ".") return Trait();
    if (ExpressionPtr absence = TryAbsence(); absence || stopped_) return absence;
    return MetricName();
  }

  ExpressionPtr MetricName() {
    const Token& word = Now();
    const auto& metrics = names_.metrics;
    if (std::find(metrics.begin(), metrics.end(), word.text) == metrics.end()) {
      std::string message = "there is no metric \"" + word.text + "\"" + DidYouMean(word.text, metrics);
      if (std::find(names_.segments.begin(), names_.segments.end(), word.text) != names_.segments.end()) {
        message = "\"" + word.text + "\" is a segment; expected in_segment(" + word.text + ")";
      } else if (Known(NormaliseEventName(word.text))) {
        message = "\"" + word.text + "\" is an event; expected a value, such as count(" + word.text + "[7d])";
      }
      Mistaken(word.begin, message);
      ++at_;
      return Make(Kind::kLiteral, word.begin, Type::kNull, true);
    }
    ExpressionPtr e = Make(Kind::kMetric, word.begin, Type::kNull, true);
    e->text = word.text;
    if (const auto type = names_.metric_type(word.text)) {
      e->type = type->type;
      e->dynamic = type->dynamic;
    } else {
      failed_ = true;  // said where the metric is defined
    }
    ++at_;
    return e;
  }

  ExpressionPtr Trait() {
    ExpressionPtr e = Make(Kind::kTrait, Now().begin, Type::kNull, true);
    ++at_;
    while (Take(".")) {
      if (Now().kind != Token::Kind::kIdentifier && Now().kind != Token::Kind::kString) return Expected("the trait's name");
      e->text += (e->text.empty() ? "" : ".") + tokens_[at_++].text;
    }
    return e;
  }

  // A dotted path of the event's properties, inside braces.
  ExpressionPtr Property() {
    ExpressionPtr e = Make(Kind::kProperty, Now().begin, Type::kNull, true);
    const size_t offset = Now().begin;
    e->path.keys.push_back(tokens_[at_++].text);
    if (!ReadKeys(&e->path)) return nullptr;
    FinishPath(*filtered_, offset, &e->path, e.get());
    return e;
  }

  bool ReadKeys(PropertyPath* path) {
    while (Take(".")) {
      if (Now().kind != Token::Kind::kIdentifier && Now().kind != Token::Kind::kString) {
        Expected("a property's name");
        return false;
      }
      path->keys.push_back(tokens_[at_++].text);
    }
    return true;
  }

  // Tells context from properties and finds the declared type.
  void FinishPath(const Selector& selector, size_t offset, PropertyPath* path, Expression* e) {
    e->dynamic = true;
    if (path->keys.front() == "context" && path->keys.size() > 1) {
      path->in_context = true;
      path->keys.erase(path->keys.begin());
      return;
    }
    std::optional<Type> common;
    for (const std::string& name : selector.names) {
      const auto event = names_.plan->events.find(name);
      if (event == names_.plan->events.end() || event->second.properties.empty()) return;
      const auto type = DeclaredType(event->second, *path, offset);
      if (!type || (common && *common != *type)) return;
      common = type;
    }
    if (!common || *common == Type::kNull) return;
    e->dynamic = false;
    e->type = *common;
    path->is_time = *common == Type::kTime;
  }

  // kNull: declared, but of no one type (a schema). nullopt: not declared.
  std::optional<Type> DeclaredType(const EventSpec& event, const PropertyPath& path, size_t offset) {
    std::vector<std::string> known;
    for (const PropertySpec& property : event.properties) {
      known.push_back(property.name);
      if (property.name != path.keys.front()) continue;
      if (path.keys.size() > 1) return std::nullopt;
      switch (property.type) {
        case PropertyType::kString: return Type::kString;
        case PropertyType::kNumber:
        case PropertyType::kInteger: return Type::kNumber;
        case PropertyType::kBoolean: return Type::kBool;
        case PropertyType::kTime: return Type::kTime;
        case PropertyType::kSchema: return Type::kNull;
      }
    }
    Warn(offset, "the plan declares no property \"" + path.keys.front() + "\" of " + event.name +
                     DidYouMean(path.keys.front(), known));
    return std::nullopt;
  }

  // --- selectors and windows ---

  bool Known(const std::string& event) const {
    return std::find(names_.events.begin(), names_.events.end(), event) != names_.events.end();
  }

  bool ReadEventName(Selector* selector) {
    if (Now().kind != Token::Kind::kIdentifier) {
      Expected("the name of an event");
      return false;
    }
    const Token& word = tokens_[at_++];
    if (word.text == "any") {
      selector->names.clear();
      return true;
    }
    const std::string name = NormaliseEventName(word.text);
    if (!Known(name)) {
      const std::string nearest = DidYouMean(name, names_.events);
      if (names_.plan->refuse_unknown_events) {
        Mistaken(word.begin, "the plan refuses unknown events and declares no event \"" + name + "\"" + nearest);
      } else if (!nearest.empty()) {
        Warn(word.begin, "the plan declares no event \"" + name + "\"" + nearest);
      }
    }
    selector->names.push_back(name);
    return true;
  }

  bool ReadSelector(Selector* selector) {
    if (Take("(")) {
      bool any = false;
      do {
        any |= IsWord("any");
        if (!ReadEventName(selector)) return false;
      } while (TakeWord("or"));
      if (!Need(")")) return false;
      if (any) selector->names.clear();
      std::sort(selector->names.begin(), selector->names.end());
      selector->names.erase(std::unique(selector->names.begin(), selector->names.end()), selector->names.end());
    } else if (!ReadEventName(selector)) {
      return false;
    }
    return !Is("{") || ReadFilter(selector);
  }

  bool ReadFilter(Selector* selector) {
    ++at_;
    const bool outer = std::exchange(in_filter_, true);
    const Selector* outer_selector = std::exchange(filtered_, selector);
    ExpressionPtr filter = Is("}") ? Expected("a condition") : Or();
    in_filter_ = outer;
    filtered_ = outer_selector;
    if (!filter || !Need("}")) return false;
    RequireType(*filter, Type::kBool, "between the braces");
    selector->filter = std::move(filter);
    return true;
  }

  bool ReadWindow(Window* window) {
    if (!Take("[")) return true;  // none: ever
    static constexpr std::pair<std::string_view, Window::Kind> kNamed[] = {
        {"ever", Window::Kind::kEver},           {"this_hour", Window::Kind::kThisHour},
        {"today", Window::Kind::kToday},         {"this_week", Window::Kind::kThisWeek},
        {"this_month", Window::Kind::kThisMonth}, {"session", Window::Kind::kSession},
        {"last_session", Window::Kind::kLastSession}};
    for (const auto& [word, kind] : kNamed) {
      if (TakeWord(word)) {
        window->kind = kind;
        return Need("]");
      }
    }
    if (TakeWord("since")) return ReadAnchor(Window::Kind::kSince, window);
    if (Now().kind == Token::Kind::kInstant) return ReadRange(window);
    if (Now().kind == Token::Kind::kDuration) return ReadSpan(window);
    const std::vector<std::string> words = {"ever", "this_hour", "today", "this_week", "this_month", "session", "last_session", "since"};
    const std::string near = Now().kind == Token::Kind::kIdentifier ? DidYouMean(Now().text, words) : "";
    if (Now().kind == Token::Kind::kBad) {
      Expected("");
    } else {
      Fail(Now().begin, "expected a window, such as 7d, today, session, ever or since last_time(purchase), found " + Found() + near);
    }
    return false;
  }

  bool ReadSpan(Window* window) {
    window->kind = Window::Kind::kSliding;
    if (Now().millis <= 0) {
      Fail(Now().begin, "a window is longer than nothing");
      return false;
    }
    window->length = tokens_[at_++].millis;
    if (TakeWord("after")) return ReadAnchor(Window::Kind::kAfter, window);
    if (TakeWord("offset")) {
      if (Now().kind != Token::Kind::kDuration) {
        Expected("a duration");
        return false;
      }
      window->offset = tokens_[at_++].millis;
    }
    return Need("]");
  }

  bool ReadRange(Window* window) {
    window->kind = Window::Kind::kRange;
    const size_t offset = Now().begin;
    window->from = ReadInstant();
    if (!Need("..")) return false;
    if (Now().kind != Token::Kind::kInstant) {
      Expected("a date or time");
      return false;
    }
    window->to = ReadInstant();
    if (window->from >= window->to) Mistaken(offset, "the window ends before it begins");
    return Need("]");
  }

  bool ReadAnchor(Window::Kind kind, Window* window) {
    window->kind = kind;
    if (++depth_ > kMaxDepth) return Fail(Now().begin, "the expression is nested too deeply"), false;
    const bool outer = std::exchange(in_filter_, false);
    window->anchor = Sum();
    in_filter_ = outer;
    --depth_;
    if (!window->anchor) return false;
    RequireType(*window->anchor, Type::kTime, "as the window's anchor");
    return Need("]");
  }

  // `S then no S for d`: two leaves of the language, joined. Nothing is taken when it is not that.
  ExpressionPtr TryAbsence() {
    if (!LooksLikeAbsence()) return nullptr;
    const size_t offset = Now().begin;
    const size_t begin = at_;
    Selector first;
    if (!ReadSelector(&first)) return nullptr;
    const size_t end = at_;
    ++at_;  // then
    if (!TakeWord("no")) return Expected("\"no\"");
    Selector second;
    if (!ReadSelector(&second)) return nullptr;
    if (!TakeWord("for")) return Expected("\"for\"");
    if (Now().kind != Token::Kind::kDuration) return Expected("a duration");
    const Millis length = tokens_[at_++].millis;

    ExpressionPtr since = Make(Kind::kSince, offset, Type::kDuration);
    since->selector = std::move(first);
    ExpressionPtr anchor = Make(Kind::kLastTime, offset, Type::kTime);
    // The first selector is read once more for the anchor: its mistakes have been said.
    const size_t after = std::exchange(at_, begin);
    std::vector<Mistake> said;
    std::vector<Mistake>* mistakes = std::exchange(mistakes_, &said);
    ReadSelector(&anchor->selector);
    mistakes_ = mistakes;
    ATTUNE_CHECK(at_ == end, "the same words read the same");
    at_ = after;
    ExpressionPtr count = Make(Kind::kCount, offset, Type::kNumber);
    count->selector = std::move(second);
    count->window.kind = Window::Kind::kSince;
    count->window.anchor = std::move(anchor);
    return Make(Kind::kAnd, offset, Type::kBool,
                Make(Kind::kGreaterEqual, offset, Type::kBool, std::move(since), Duration(length, offset)),
                Make(Kind::kEqual, offset, Type::kBool, std::move(count), Number(0, offset)));
  }

  // Whether a selector followed by `then` starts here.
  bool LooksLikeAbsence() const {
    size_t i = at_;
    const auto symbol = [&](std::string_view s) { return tokens_[i].kind == Token::Kind::kSymbol && tokens_[i].text == s; };
    const auto skip_to = [&](std::string_view open, std::string_view close) {
      for (int depth = 0; tokens_[i].kind != Token::Kind::kEnd && tokens_[i].kind != Token::Kind::kBad; ++i) {
        depth += symbol(open) - symbol(close);
        if (depth == 0) return true;
      }
      return false;
    };
    if (symbol("(") ? !skip_to("(", ")") : tokens_[i].kind != Token::Kind::kIdentifier) return false;
    ++i;
    if (symbol("{")) {
      if (!skip_to("{", "}")) return false;
      ++i;
    }
    return tokens_[i].kind == Token::Kind::kIdentifier && tokens_[i].text == "then";
  }

  // --- calls ---

  ExpressionPtr Call() {
    const std::string name = Now().text;
    const size_t offset = Now().begin;
    const auto& functions = Functions();
    const auto found = functions.find(name);
    if (found == functions.end()) {
      if (std::find(std::begin(kLater), std::end(kLater), name) != std::end(kLater)) {
        return Fail(offset, name + "(…) is part of the language, but this version does not have it yet");
      }
      std::vector<std::string> known;
      for (const auto& [function, form] : functions) known.push_back(function);
      return Fail(offset, "there is no function \"" + name + "\"" + DidYouMean(name, known));
    }
    const Function& function = found->second;
    if (in_filter_ && function.form != Form::kValues && name != "min" && name != "max") {
      return Fail(offset, name + "(…) looks at history; between braces only the event's own properties are seen");
    }
    at_ += 2;
    if (++depth_ > kMaxDepth) return Fail(offset, "the expression is nested too deeply");
    ExpressionPtr e = Make(function.kind, offset, Type::kNumber);
    const bool read = ReadArguments(function, name, e.get());
    --depth_;
    if (!read || !Need(")")) return nullptr;
    return e;
  }

  bool ReadArguments(const Function& function, const std::string& name, Expression* e) {
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
      case Form::kSessions:
        if (!Is("[")) return Expected("a window, such as [30d]"), false;
        return ReadWindow(&e->window);
      case Form::kDuration: return ReadSessionWindow(e);
      case Form::kPeriods: return ReadPeriods(e);
      case Form::kName: return ReadName(e);
      case Form::kSegment: return ReadSegment(e);
      case Form::kNothing:
        e->type = e->kind == Kind::kDate ? Type::kTime : Type::kNumber;
        return true;
      case Form::kValues: return ReadValues(function, name, e);
    }
    return false;
  }

  bool ReadEvents(Expression* e) {
    if (!ReadSelector(&e->selector)) return false;
    if (Is(".")) {
      if (e->kind != Kind::kCount) return Expected("a window or \")\""), false;
      if (!ReadPropertyOf(e)) return false;  // count(S.p): the events that have p
    }
    if (!ReadWindow(&e->window)) return false;
    e->dynamic = false;
    e->type = e->kind == Kind::kFirstTime || e->kind == Kind::kLastTime ? Type::kTime
              : e->kind == Kind::kSince || e->kind == Kind::kAge        ? Type::kDuration
                                                                        : Type::kNumber;
    return true;
  }

  bool ReadPropertyOf(Expression* e) {
    const size_t offset = Next().begin;
    if (!ReadKeys(&e->path)) return false;
    Expression property;
    FinishPath(e->selector, offset, &e->path, &property);
    e->type = property.type;
    e->dynamic = property.dynamic;
    return true;
  }

  bool ReadProperty(const std::string& name, Expression* e) {
    if (!ReadSelector(&e->selector)) return false;
    if (!Is(".")) return Expected("\".\" and a property, as in " + name + "(purchase.price[7d])"), false;
    const size_t offset = Next().begin;
    if (!ReadPropertyOf(e) || !ReadWindow(&e->window)) return false;
    const Type of = e->dynamic ? Type::kNull : e->type;
    const std::string property = std::string(text_.substr(offset, 40));
    const bool numeric = e->kind == Kind::kSum || e->kind == Kind::kAvg || e->kind == Kind::kQuantile;
    if (numeric && of != Type::kNull && of != Type::kNumber) {
      Mistaken(offset, "expected a number for " + name + "(…), found a property of type " + std::string(TypeName(of)));
    }
    if ((e->kind == Kind::kAggregateMin || e->kind == Kind::kAggregateMax) && of == Type::kBool) {
      Mistaken(offset, "expected something that has an order for " + name + "(…), found a property of type boolean");
    }
    if (numeric || e->kind == Kind::kDistinct) e->type = Type::kNumber, e->dynamic = false;
    if (e->kind == Kind::kListOf) e->type = Type::kList, e->dynamic = false;
    return true;
  }

  // min(S.p[W]) over events, or min(a, b) of values: the first when the argument is one selector with a property.
  bool MinOrMax(const std::string& name, Expression* e) {
    const size_t begin = at_;
    const bool is_trait = IsWord("trait") && Next().text == ".";
    if (!in_filter_ && !is_trait && LooksLikeProperty()) return ReadProperty(name, e);
    at_ = begin;
    e->kind = name == "min" ? Kind::kMin : Kind::kMax;
    return ReadValues({Form::kValues, e->kind, 2, kMany}, name, e);
  }

  bool LooksLikeProperty() const {
    size_t i = at_;
    const auto symbol = [&](std::string_view s) { return tokens_[i].kind == Token::Kind::kSymbol && tokens_[i].text == s; };
    const auto skip = [&](std::string_view open, std::string_view close) {
      if (!symbol(open)) return;
      for (int depth = 0; tokens_[i].kind != Token::Kind::kEnd && tokens_[i].kind != Token::Kind::kBad; ++i) {
        depth += symbol(open) - symbol(close);
        if (depth == 0) return void(++i);
      }
    };
    if (tokens_[i].kind == Token::Kind::kIdentifier) {
      ++i;
      if (symbol("(")) return false;  // a call
    } else {
      skip("(", ")");
    }
    skip("{", "}");
    return symbol(".");
  }

  bool ReadNumber(const std::string& what, double least, double most, bool whole, Expression* e) {
    const Token& token = Now();
    if (token.kind != Token::Kind::kNumber) return Expected(what), false;
    e->number = token.number;
    if (e->number < least || e->number > most || (whole && e->number != static_cast<int64_t>(e->number))) {
      Mistaken(token.begin, "expected " + what + ", found " + Found());
    }
    ++at_;
    return true;
  }

  bool ReadSessionWindow(Expression* e) {
    e->type = Type::kDuration;
    const size_t offset = Now().begin;
    if (!Is("[")) return Expected("[session] or [last_session]"), false;
    if (!ReadWindow(&e->window)) return false;
    if (e->window.kind != Window::Kind::kSession && e->window.kind != Window::Kind::kLastSession) {
      Mistaken(offset, "expected [session] or [last_session] for duration(…), found " + ToText(e->window));
    }
    return true;
  }

  bool ReadPeriods(Expression* e) {
    if (!ReadSelector(&e->selector) || !Need(",")) return false;
    if (Now().kind != Token::Kind::kDuration || Now().millis <= 0) return Expected("the length of a stretch, such as 7d"), false;
    e->window.kind = Window::Kind::kSliding;
    e->window.length = tokens_[at_++].millis;
    return Need(",") && ReadNumber("how many stretches, 1 to 1000", 1, 1000, true, e);
  }

  bool ReadName(Expression* e) {
    if (Now().kind != Token::Kind::kString) return Expected("a name in quotation marks"), false;
    e->text = tokens_[at_++].text;
    return true;
  }

  bool ReadSegment(Expression* e) {
    if (Now().kind != Token::Kind::kString && Now().kind != Token::Kind::kIdentifier) {
      return Expected("the name of a segment"), false;
    }
    e->type = Type::kBool;
    e->text = Now().text;
    if (std::find(names_.segments.begin(), names_.segments.end(), e->text) == names_.segments.end()) {
      Mistaken(Now().begin, "there is no segment \"" + e->text + "\"" + DidYouMean(e->text, names_.segments));
    }
    ++at_;
    return true;
  }

  bool ReadValues(const Function& function, const std::string& name, Expression* e) {
    const size_t offset = Now().begin;
    while (!Is(")")) {
      ExpressionPtr arg = Or();
      if (!arg) return false;
      e->args.push_back(std::move(arg));
      if (!Take(",")) break;
    }
    if (e->args.size() < function.least || e->args.size() > function.most) {
      if (!Is(")")) return Expected("\",\" or \")\""), false;
      const std::string many = function.least == function.most ? std::to_string(function.least) : std::to_string(function.least) + " or more";
      Fail(offset, name + "(…) takes " + many + " values, found " + std::to_string(e->args.size()));
      return false;
    }
    TypeOfValues(name, e);
    return true;
  }

  void TypeOfValues(const std::string& name, Expression* e) {
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

  std::string_view text_;
  std::vector<Token> tokens_;
  const Names& names_;
  const Zone& zone_;
  std::vector<Mistake>* mistakes_;
  size_t at_ = 0;
  int depth_ = 0;
  bool failed_ = false;   // some mistake was found: there will be no expression
  bool stopped_ = false;  // the rest cannot be read
  bool in_filter_ = false;
  const Selector* filtered_ = nullptr;  // whose braces are being read
};

}  // namespace

ExpressionPtr Parse(std::string_view text, const Names& names, const Zone& zone, std::vector<Mistake>* mistakes) {
  return Parser(text, names, zone, mistakes).Whole();
}

std::optional<Selector> ParseSelector(std::string_view text, const Names& names, const Zone& zone,
                                      std::vector<Mistake>* mistakes) {
  return Parser(text, names, zone, mistakes).WholeSelector();
}

}  // namespace attune

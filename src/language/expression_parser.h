// A recursive-descent parser of the language. It is one class because its rules are mutually recursive. Each of its
// sources holds the rules of one subject: operators, values, selectors, windows, calls, aggregates, sequences, keys,
// facts. docs/language.md defines what the rules mean.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "language/cursor.h"
#include "language/parser.h"
#include "language/zone.h"

namespace attune {

struct Function;  // of calls: see call_parser.cc
inline constexpr size_t kManyValues = 1000;  // limit for functions that take any number of values

// Reads one text. A rule returns null (or false) when the rest cannot be read, and reports why to the cursor.
class ExpressionParser : private Cursor {
 public:
  // The arguments must outlive the parser.
  ExpressionParser(std::string_view text, const Names& names, const Zone& zone, std::vector<Mistake>* mistakes)
      : Cursor(text, mistakes), names_(names), zone_(zone) {}

  ExpressionPtr Whole();
  std::optional<Selector> WholeSelector();

 private:
  using Kind = Expression::Kind;

  static ExpressionPtr Make(Kind kind, size_t offset, Type type, bool dynamic = false);
  static ExpressionPtr Make(Kind kind, size_t offset, Type type, ExpressionPtr a, ExpressionPtr b);
  static ExpressionPtr Number(double n, size_t offset);
  static ExpressionPtr Duration(Millis d, size_t offset);

  // Enters one level of nesting. When that is too deep, reports it and returns false. Each successful Enter has its Leave.
  bool Enter(size_t offset);
  void Leave() { --depth_; }

  // Types, where known.
  void RequireType(const Expression& e, Type type, const std::string& where);
  void RequireAlike(const Expression& a, const Expression& b);  // of one type, as a comparison requires
  void RequireOrdered(const Expression& e);

  // Operators, weakest first.
  ExpressionPtr Or() { return Chain("or", Kind::kOr, &ExpressionParser::And); }
  ExpressionPtr And() { return Chain("and", Kind::kAnd, &ExpressionParser::Not); }
  ExpressionPtr Chain(std::string_view word, Kind kind, ExpressionPtr (ExpressionParser::*operand)());
  ExpressionPtr Not();
  ExpressionPtr Comparison();
  ExpressionPtr Compared(Kind kind, size_t offset, ExpressionPtr left);
  ExpressionPtr Textual(Kind kind, std::string_view word, size_t offset, ExpressionPtr left);
  ExpressionPtr In(size_t offset, ExpressionPtr left);
  ExpressionPtr Between(size_t offset, ExpressionPtr left);
  ExpressionPtr Matches(size_t offset, ExpressionPtr left);
  ExpressionPtr Sum();
  ExpressionPtr Product();
  ExpressionPtr Arithmetic(Kind kind, size_t offset, ExpressionPtr a, ExpressionPtr b);
  StaticType ArithmeticType(Kind kind, const Expression& a, const Expression& b, size_t offset);
  ExpressionPtr Unary();

  // Primary expressions.
  ExpressionPtr Primary();
  ExpressionPtr Parenthesised();
  ExpressionPtr Word();
  ExpressionPtr ListLiteral();
  ExpressionPtr MetricName();
  ExpressionPtr Trait();
  Millis ReadInstant();

  // Events and their properties.
  bool ReadSelector(Selector* selector);
  bool ReadAlternatives(Selector* selector);
  bool ReadEventName(Selector* selector);
  bool ReadFilter(Selector* selector);
  bool Known(const std::string& event) const;
  ExpressionPtr Property();
  bool ReadKeys(PropertyPath* path);
  // Separates context from properties and finds the type on which the events' declarations agree.
  void FinishPath(const std::vector<std::string>& events, size_t offset, PropertyPath* path, Expression* e);
  std::optional<Type> DeclaredType(const EventSpec& event, const PropertyPath& path, size_t offset);

  bool ReadWindow(Window* window);  // optional: [ever] when there is none
  bool ReadSpan(Window* window);
  bool ReadRange(Window* window);
  bool ReadAnchor(Window::Kind kind, Window* window);

  ExpressionPtr Call();
  bool ReadArguments(const Function& function, const std::string& name, Expression* e);
  bool ReadNumber(const std::string& what, double least, double most, bool whole, Expression* e);
  bool ReadName(Expression* e);
  bool ReadValues(size_t least, size_t most, const std::string& name, Expression* e);
  void TypeOfValues(const std::string& name, Expression* e);

  // Aggregates.
  static ExpressionPtr MakeAggregate(std::string_view name, size_t offset);
  bool ReadAggregate(Expression* e);
  bool ReadAggregateOrValues(const std::string& name, Expression* e);
  bool ReadEvents(bool or_property, Expression* e);
  bool ReadPropertyOf(Expression* e);
  bool ReadProperty(Expression* e);
  bool LooksLikeProperty() const;
  bool ReadAnyWindow(Expression* e);
  bool ReadSessionWindow(Expression* e);
  bool ReadStretches(Expression* e);

  // Sequences, and absence.
  bool ReadSequence(const std::string& name, Expression* e);
  bool ReadStep(const std::string& name, std::vector<SequenceStep>* steps);
  bool ReadWithin(const std::string& name, const std::vector<SequenceStep>& before, SequenceStep* step);
  bool ReadBy(Expression* e);
  ExpressionPtr TryAbsence();  // null when there is none: nothing is taken, and the cursor has not stopped
  bool LooksLikeAbsence() const;

  bool ReadKeyed(const std::string& name, Expression* e);
  bool ReadKeyProperty(const std::string& name, Expression* e);

  // Facts about the user.
  bool ReadSegmentName(Expression* e);
  bool ReadSegmentChange(const std::string& name, Expression* e);
  bool ReadPlainName(const std::string& what, Expression* e);
  bool ReadFor(Expression* e);

  const Names& names_;
  const Zone& zone_;
  int depth_ = 0;
  bool in_filter_ = false;
  const Selector* filtered_ = nullptr;  // the selector whose braces are being parsed
  std::string keyed_;                   // name of the enclosing some or top
};

}  // namespace attune

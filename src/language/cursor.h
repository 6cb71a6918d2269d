// A position in a text of the language, and the mistakes found so far.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "language/expression.h"
#include "language/parser.h"
#include "language/token.h"

namespace attune {

class Cursor {
 public:
  // `text` and `mistakes` must outlive the cursor.
  Cursor(std::string_view text, std::vector<Mistake>* mistakes);

  const Token& Now() const { return tokens_[at_]; }
  const Token& Next() const { return Ahead(1); }
  // The token this many steps ahead; the last one when there are fewer.
  const Token& Ahead(size_t steps) const;
  // Returns the current token and moves on. Must not be called at the end.
  const Token& TakeToken() { return tokens_[at_++]; }

  bool AtEnd() const { return Now().kind == Token::Kind::kEnd; }
  bool Is(std::string_view symbol) const { return IsSymbol(0, symbol); }
  bool IsWord(std::string_view word) const { return Now().kind == Token::Kind::kIdentifier && Now().text == word; }
  bool Take(std::string_view symbol) { return Is(symbol) && (++at_, true); }
  bool TakeWord(std::string_view word) { return IsWord(word) && (++at_, true); }
  // Takes the symbol, or reports that it was expected.
  bool Need(std::string_view symbol);

  // Lookahead, `steps` from here.
  bool IsSymbol(size_t steps, std::string_view symbol) const;
  // Moves `steps` past the bracket that closes the one there. False when none does.
  bool SkipBrackets(std::string_view open, std::string_view close, size_t* steps) const;

  // The current token, for a message.
  std::string Found() const;

  // Reports what was expected here and stops reading this text. Both return null, so that callers can return the
  // result.
  ExpressionPtr Expected(const std::string& what);
  ExpressionPtr Fail(size_t offset, std::string message);
  // Reports and continues, so that one parse finds every mistake of meaning.
  void Mistaken(size_t offset, std::string message);
  void Warn(size_t offset, std::string message);

  // A mistake was found: there will be no expression.
  bool failed() const { return failed_; }
  void set_failed() { failed_ = true; }
  // The rest of the text cannot be parsed.
  bool stopped() const { return stopped_; }

  // Backtracking, to parse the same tokens again without reporting their mistakes twice.
  size_t place() const { return at_; }
  void set_place(size_t place) { at_ = place; }
  std::vector<Mistake>* set_mistakes(std::vector<Mistake>* mistakes) { return std::exchange(mistakes_, mistakes); }

  std::string_view text() const { return text_; }

 private:
  std::string_view text_;
  std::vector<Token> tokens_;
  std::vector<Mistake>* mistakes_;
  size_t at_ = 0;
  bool failed_ = false;
  bool stopped_ = false;
};

}  // namespace attune

// A place in a text of the language, and the mistakes found on the way.
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
  // The token so many steps on; the last one when there are fewer.
  const Token& Ahead(size_t steps) const;
  // What stands here, as long as it is not the end.
  const Token& TakeToken() { return tokens_[at_++]; }

  bool AtEnd() const { return Now().kind == Token::Kind::kEnd; }
  bool Is(std::string_view symbol) const { return IsSymbol(0, symbol); }
  bool IsWord(std::string_view word) const { return Now().kind == Token::Kind::kIdentifier && Now().text == word; }
  bool Take(std::string_view symbol) { return Is(symbol) && (++at_, true); }
  bool TakeWord(std::string_view word) { return IsWord(word) && (++at_, true); }
  // Takes the symbol or says that it was expected.
  bool Need(std::string_view symbol);

  // Looking ahead, `steps` on from here.
  bool IsSymbol(size_t steps, std::string_view symbol) const;
  // Moves `steps` behind the bracket that closes the one standing there. False when none does.
  bool SkipBrackets(std::string_view open, std::string_view close, size_t* steps) const;

  // What stands here, for a message.
  std::string Found() const;

  // Reports what was expected here and gives up on this text. Both return null, so that they can be returned.
  ExpressionPtr Expected(const std::string& what);
  ExpressionPtr Fail(size_t offset, std::string message);
  // Reports and goes on, so that one reading finds every mistake of meaning.
  void Mistaken(size_t offset, std::string message);
  void Warn(size_t offset, std::string message);

  // Some mistake was found: there will be no expression.
  bool failed() const { return failed_; }
  void set_failed() { failed_ = true; }
  // The rest cannot be read.
  bool stopped() const { return stopped_; }

  // Going back, to read the same words once more without saying their mistakes again.
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

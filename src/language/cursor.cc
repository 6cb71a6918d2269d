#include "language/cursor.h"

#include <algorithm>
#include <utility>

namespace attune {

Cursor::Cursor(std::string_view text, std::vector<Mistake>* mistakes)
    : text_(text), tokens_(Tokenise(text)), mistakes_(mistakes) {}

const Token& Cursor::Ahead(size_t steps) const { return tokens_[std::min(at_ + steps, tokens_.size() - 1)]; }

bool Cursor::IsSymbol(size_t steps, std::string_view symbol) const {
  return Ahead(steps).kind == Token::Kind::kSymbol && Ahead(steps).text == symbol;
}

bool Cursor::SkipBrackets(std::string_view open, std::string_view close, size_t* steps) const {
  for (int depth = 0;; ++*steps) {
    const Token::Kind kind = Ahead(*steps).kind;
    if (kind == Token::Kind::kEnd || kind == Token::Kind::kBad) return false;
    depth += IsSymbol(*steps, open) - IsSymbol(*steps, close);
    if (depth == 0) return ++*steps, true;
  }
}

bool Cursor::Need(std::string_view symbol) {
  if (Take(symbol)) return true;
  Expected("\"" + std::string(symbol) + "\"");
  return false;
}

std::string Cursor::Found() const {
  if (AtEnd()) return "the end";
  return "\"" + std::string(text_.substr(Now().begin, Now().end - Now().begin)) + "\"";
}

ExpressionPtr Cursor::Expected(const std::string& what) {
  if (Now().kind == Token::Kind::kBad) return Fail(Now().begin, Now().text);
  return Fail(Now().begin, "expected " + what + ", found " + Found());
}

ExpressionPtr Cursor::Fail(size_t offset, std::string message) {
  Mistaken(offset, std::move(message));
  stopped_ = true;
  return nullptr;
}

void Cursor::Mistaken(size_t offset, std::string message) {
  if (!stopped_) mistakes_->push_back({offset, std::move(message)});
  failed_ = true;
}

void Cursor::Warn(size_t offset, std::string message) { mistakes_->push_back({offset, std::move(message), true}); }

}  // namespace attune

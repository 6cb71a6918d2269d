#include "language/token.h"

#include <charconv>
#include <cmath>
#include <cstdint>

namespace attune {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
// Letters of every script: all bytes of a multi-byte character count.
bool IsWordStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c == '@' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool IsWord(char c) { return IsWordStart(c) || IsDigit(c); }

Millis UnitSize(std::string_view unit) {
  if (unit == "ms") return 1;
  if (unit == "s") return kSecond;
  if (unit == "m") return kMinute;
  if (unit == "h") return kHour;
  if (unit == "d") return kDay;
  if (unit == "w") return kWeek;
  return 0;
}

void AppendUtf8(uint32_t code, std::string* out) {
  if (code < 0x80) {
    *out += static_cast<char>(code);
  } else if (code < 0x800) {
    *out += static_cast<char>(0xC0 | code >> 6);
    *out += static_cast<char>(0x80 | (code & 63));
  } else if (code < 0x10000) {
    *out += static_cast<char>(0xE0 | code >> 12);
    *out += static_cast<char>(0x80 | (code >> 6 & 63));
    *out += static_cast<char>(0x80 | (code & 63));
  } else {
    *out += static_cast<char>(0xF0 | code >> 18);
    *out += static_cast<char>(0x80 | (code >> 12 & 63));
    *out += static_cast<char>(0x80 | (code >> 6 & 63));
    *out += static_cast<char>(0x80 | (code & 63));
  }
}

class Tokeniser {
 public:
  explicit Tokeniser(std::string_view text) : text_(text) {}

  std::vector<Token> Run() {
    std::vector<Token> tokens;
    while (true) {
      while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
      Token token;
      token.begin = at_;
      if (at_ < text_.size()) Read(&token);
      token.end = at_;
      const bool last = token.kind == Token::Kind::kEnd || token.kind == Token::Kind::kBad;
      tokens.push_back(std::move(token));
      if (last) return tokens;
    }
  }

 private:
  char Peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  void Bad(Token* token, std::string why) {
    token->kind = Token::Kind::kBad;
    token->text = std::move(why);
  }

  void Read(Token* token) {
    const char c = Peek();
    if (IsWordStart(c)) return Word(token);
    if (IsDigit(c)) return LooksLikeDate() ? Instant(token) : Number(token);
    if (c == '"' || c == '\'') return String(token, c);
    Symbol(token);
  }

  void Word(Token* token) {
    token->kind = Token::Kind::kIdentifier;
    while (IsWord(Peek())) token->text += text_[at_++];
  }

  bool LooksLikeDate() const {
    constexpr std::string_view kShape = "dddd-dd-dd";
    for (size_t i = 0; i < kShape.size(); ++i) {
      if (kShape[i] == 'd' ? !IsDigit(Peek(i)) : Peek(i) != kShape[i]) return false;
    }
    return true;
  }

  void Instant(Token* token) {
    const size_t begin = at_;
    at_ += 10;
    if ((Peek() == 'T' || Peek() == 't') && IsDigit(Peek(1))) {
      ++at_;
      while (IsDigit(Peek()) || Peek() == ':' || (Peek() == '.' && IsDigit(Peek(1)))) ++at_;
      token->local = true;
      if (Peek() == 'Z' || Peek() == 'z') {
        ++at_;
        token->local = false;
      } else if ((Peek() == '+' || Peek() == '-') && IsDigit(Peek(1))) {
        ++at_;
        while (IsDigit(Peek()) || Peek() == ':') ++at_;
        token->local = false;
      }
    } else {
      token->local = true;
    }
    const std::string_view written = text_.substr(begin, at_ - begin);
    const auto instant = ParseRfc3339(written);
    if (!instant || IsWord(Peek())) {
      return Bad(token, "\"" + std::string(written) + "\" is not a date or time that exists");
    }
    token->kind = Token::Kind::kInstant;
    token->millis = *instant;
  }

  void Number(Token* token) {
    const char* begin = text_.data() + at_;
    const char* end = text_.data() + text_.size();
    // A dot belongs to the number only before a digit, unlike in `[2026-01-01 .. ` and `5.price`.
    const char* stop = begin;
    while (stop < end && IsDigit(*stop)) ++stop;
    if (stop + 1 < end && *stop == '.' && IsDigit(stop[1])) {
      ++stop;
      while (stop < end && IsDigit(*stop)) ++stop;
    }
    if (stop + 1 < end && (*stop == 'e' || *stop == 'E') &&
        (IsDigit(stop[1]) || (stop + 2 < end && (stop[1] == '+' || stop[1] == '-') && IsDigit(stop[2])))) {
      stop += 2;
      while (stop < end && IsDigit(*stop)) ++stop;
    }
    std::from_chars(begin, stop, token->number);
    at_ += static_cast<size_t>(stop - begin);
    token->kind = Token::Kind::kNumber;
    if (!std::isfinite(token->number)) return Bad(token, "the number is too large");
    if (IsWordStart(Peek())) Unit(token);
  }

  void Unit(Token* token) {
    std::string unit;
    while (IsWord(Peek())) unit += text_[at_++];
    const Millis size = UnitSize(unit);
    if (size == 0) return Bad(token, "\"" + unit + "\" is not a unit of time; expected ms, s, m, h, d or w");
    const double millis = token->number * static_cast<double>(size);
    if (millis != std::floor(millis)) return Bad(token, "a duration is a whole number of milliseconds");
    if (millis > 1e15) return Bad(token, "the duration is too long");
    token->kind = Token::Kind::kDuration;
    token->millis = static_cast<Millis>(millis);
  }

  void String(Token* token, char quote) {
    ++at_;
    while (at_ < text_.size() && Peek() != quote) {
      if (Peek() != '\\') {
        token->text += text_[at_++];
      } else if (!Escape(token)) {
        return Bad(token, "an escape that JSON does not have; write \\\\ for a backslash");
      }
    }
    if (at_ >= text_.size()) return Bad(token, "the text is not closed; expected a quotation mark");
    ++at_;
    token->kind = Token::Kind::kString;
  }

  bool Hex4(uint32_t* code) {
    if (at_ + 4 > text_.size()) return false;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + at_ + 4, *code, 16);
    if (error != std::errc() || end != text_.data() + at_ + 4) return false;
    at_ += 4;
    return true;
  }

  bool Escape(Token* token) {
    ++at_;
    const char c = Peek();
    ++at_;
    constexpr std::string_view kFrom = "\"\\/bfnrt'";
    constexpr std::string_view kTo = "\"\\/\b\f\n\r\t'";
    if (const size_t i = kFrom.find(c); c != '\0' && i != std::string_view::npos) {
      token->text += kTo[i];
      return true;
    }
    uint32_t code;
    if (c != 'u' || !Hex4(&code)) return false;
    if (code >= 0xD800 && code < 0xDC00) {
      uint32_t low;
      if (Peek() != '\\' || Peek(1) != 'u') return false;
      at_ += 2;
      if (!Hex4(&low) || low < 0xDC00 || low > 0xDFFF) return false;
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code < 0xE000) {
      return false;
    }
    AppendUtf8(code, &token->text);
    return true;
  }

  void Symbol(Token* token) {
    static constexpr std::string_view kSymbols[] = {"<=", ">=", "!=", "->", "=>", "..", "==", "<", ">", "=", "(", ")",
                                                    "{",  "}",  "[",  "]",  ",",  ".",  "+",  "-", "*", "/", ":"};
    for (const std::string_view symbol : kSymbols) {
      if (text_.substr(at_, symbol.size()) == symbol) {
        token->kind = Token::Kind::kSymbol;
        token->text = symbol;
        at_ += symbol.size();
        return;
      }
    }
    Bad(token, "the character \"" + std::string(1, Peek()) + "\" means nothing here");
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

std::vector<Token> Tokenise(std::string_view text) { return Tokeniser(text).Run(); }

bool ParseDuration(std::string_view text, Millis* duration) {
  const std::vector<Token> tokens = Tokenise(text);
  if (tokens.size() != 2 || tokens[0].kind != Token::Kind::kDuration) return false;
  *duration = tokens[0].millis;
  return true;
}

}  // namespace attune

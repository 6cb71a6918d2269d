#include "event/json_text.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace attune {

// Overlong forms and surrogates are not UTF-8 either.
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

class FaultFinder {
 public:
  FaultFinder(std::string_view text, size_t max_depth) : text_(text), max_depth_(max_depth) {}

  std::optional<JsonFault> Run() {
    ReadDocument();
    if (syntax_) return syntax_;
    return other_;
  }

 private:
  void Syntax(std::string what) {
    if (!syntax_) syntax_ = JsonFault{JsonFault::Kind::kSyntax, at_, std::move(what)};
  }
  void Other(JsonFault::Kind kind, size_t offset, std::string what) {
    if (!other_) other_ = JsonFault{kind, offset, std::move(what)};
  }

  bool AtEnd() const { return at_ >= text_.size(); }
  char Peek() const { return AtEnd() ? '\0' : text_[at_]; }
  bool Take(char c) {
    if (AtEnd() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void SkipBlanks() {
    while (!AtEnd() && IsBlank(text_[at_])) ++at_;
  }

  void ReadDocument() {
    SkipBlanks();
    if (AtEnd()) return Syntax("there is no value");
    if (!ReadValue()) return;
    while (!open_.empty()) {
      SkipBlanks();
      if (!ReadNextInside()) return;
    }
    SkipBlanks();
    if (!AtEnd()) Syntax("something follows the value");
  }

  // Parses one step inside the innermost array or object, at a comma or at its end.
  bool ReadNextInside() {
    const char close = open_.back();
    if (Take(close)) {
      open_.pop_back();
      return true;
    }
    if (!Take(',')) {
      Syntax(close == '}' ? "expected \",\" or \"}\"" : "expected \",\" or \"]\"");
      return false;
    }
    SkipBlanks();
    return (close == ']' || ReadKey()) && ReadValue();
  }

  // A member's name and the colon after it.
  bool ReadKey() {
    if (Peek() != '"') {
      Syntax("expected a member's name in double quotes");
      return false;
    }
    if (!ReadString()) return false;
    SkipBlanks();
    if (!Take(':')) {
      Syntax("expected \":\"");
      return false;
    }
    SkipBlanks();
    return true;
  }

  // Parses a scalar, or nested arrays and objects up to the first scalar or empty one.
  bool ReadValue() {
    for (;;) {
      const char c = Peek();
      if (AtEnd()) {
        Syntax("the text ends where a value should be");
        return false;
      }
      if (c == '"') return ReadString();
      if (c == '-' || IsDigit(c)) return ReadNumber();
      if (c != '{' && c != '[') return ReadWord();
      if (open_.size() == max_depth_) Other(JsonFault::Kind::kDepth, at_, "nested too deep");
      ++at_;
      const char close = c == '{' ? '}' : ']';
      open_.push_back(close);
      SkipBlanks();
      if (Take(close)) {
        open_.pop_back();
        return true;
      }
      if (c == '{' && !ReadKey()) return false;
    }
  }

  bool ReadWord() {
    for (const std::string_view word : {"true", "false", "null"}) {
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return true;
      }
    }
    Syntax("expected a value");
    return false;
  }

  bool ReadDigits() {
    if (!IsDigit(Peek())) {
      Syntax("expected a digit");
      return false;
    }
    while (IsDigit(Peek())) ++at_;
    return true;
  }

  bool ReadNumber() {
    const size_t begin = at_;
    bool whole = true;
    Take('-');
    if (Take('0')) {
      if (IsDigit(Peek())) {
        Syntax("a number does not begin with 0");
        return false;
      }
    } else if (!ReadDigits()) {
      return false;
    }
    if (Take('.')) {
      whole = false;
      if (!ReadDigits()) return false;
    }
    if (Take('e') || Take('E')) {
      whole = false;
      if (!Take('+')) Take('-');
      if (!ReadDigits()) return false;
    }
    CheckRange(text_.substr(begin, at_ - begin), whole, begin);
    return true;
  }

  void CheckRange(std::string_view number, bool whole, size_t begin) {
    const char* end = number.data() + number.size();
    std::errc error;
    if (whole && number[0] == '-') {
      int64_t value;
      error = std::from_chars(number.data(), end, value).ec;
    } else if (whole) {
      uint64_t value;
      error = std::from_chars(number.data(), end, value).ec;
    } else {
      // A number too small is zero; only one too large is a fault.
      error =
          std::isinf(std::strtod(std::string(number).c_str(), nullptr)) ? std::errc::result_out_of_range : std::errc();
    }
    if (error != std::errc()) Other(JsonFault::Kind::kNumber, begin, "a number out of range");
  }

  bool ReadString() {
    ++at_;
    while (!AtEnd()) {
      const auto c = static_cast<uint8_t>(text_[at_]);
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c == '\\') {
        if (!ReadEscape()) return false;
      } else if (c < 0x20) {
        Syntax("a control character inside a string");
        return false;
      } else {
        const size_t length = Utf8Length(text_.substr(at_));
        if (length == 0) Other(JsonFault::Kind::kEncoding, at_, "a byte that is not UTF-8");
        at_ += length == 0 ? 1 : length;
      }
    }
    Syntax("a string that does not end");
    return false;
  }

  bool ReadEscape() {
    const size_t begin = at_++;
    const char c = Peek();
    if (c != 'u') {
      if (AtEnd() || std::string_view("\"\\/bfnrt").find(c) == std::string_view::npos) {
        Syntax("an escape that JSON does not have");
        return false;
      }
      ++at_;
      return true;
    }
    ++at_;
    uint32_t unit;
    if (!ReadHex(&unit)) return false;
    if (unit >= 0xDC00 && unit <= 0xDFFF) Other(JsonFault::Kind::kEncoding, begin, "half a surrogate pair");
    if (unit < 0xD800 || unit > 0xDBFF) return true;
    uint32_t low = 0;
    if (text_.substr(at_, 2) == "\\u") {
      at_ += 2;
      if (!ReadHex(&low)) return false;
    }
    if (low < 0xDC00 || low > 0xDFFF) Other(JsonFault::Kind::kEncoding, begin, "half a surrogate pair");
    return true;
  }

  bool ReadHex(uint32_t* unit) {
    *unit = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = Peek();
      const char lower = static_cast<char>(c | 0x20);
      if (AtEnd() || (!IsDigit(c) && (lower < 'a' || lower > 'f'))) {
        Syntax("expected four hexadecimal digits");
        return false;
      }
      *unit = *unit * 16 + static_cast<uint32_t>(IsDigit(c) ? c - '0' : lower - 'a' + 10);
    }
    return true;
  }

  std::string_view text_;
  size_t max_depth_;
  size_t at_ = 0;
  std::vector<char> open_;  // the closing bracket of each open array and object
  std::optional<JsonFault> syntax_;
  std::optional<JsonFault> other_;
};

}  // namespace

std::optional<JsonFault> FindJsonFault(std::string_view json, size_t max_depth) {
  return FaultFinder(json, max_depth).Run();
}

JsonFault JsonFaultOf(std::string_view json, size_t max_depth) {
  if (auto fault = FindJsonFault(json, max_depth)) return *fault;
  const size_t begin = json.find_first_not_of(" \n\r\t");
  if (json[begin] != '{') return {JsonFault::Kind::kNotObject, begin, "expected an object"};
  return {JsonFault::Kind::kSyntax, begin, "not JSON"};
}

TextPosition PositionOf(std::string_view text, size_t offset) {
  TextPosition position;
  for (const char c : text.substr(0, offset)) {
    if (c == '\n') {
      ++position.line;
      position.column = 1;
    } else if ((static_cast<uint8_t>(c) & 0xC0) != 0x80) {
      ++position.column;
    }
  }
  return position;
}

std::string Preview(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return std::string(text);
  while (bytes > 0 && (static_cast<uint8_t>(text[bytes]) & 0xC0) == 0x80) --bytes;
  return std::string(text.substr(0, bytes)) + "…";
}

JsonSlices::JsonSlices(std::string_view text) : text_(text) {
  SkipBlanks();
  const char open = at_ < text_.size() ? text_[at_] : '\0';
  close_ = open == '{' ? '}' : open == '[' ? ']' : '\0';
  if (close_ == 0) {
    Fail();
  } else {
    ++at_;
  }
}

bool JsonSlices::Fail() {
  ok_ = false;
  done_ = true;
  return false;
}

void JsonSlices::SkipBlanks() {
  while (at_ < text_.size() && IsBlank(text_[at_])) ++at_;
}

namespace {

constexpr size_t kNowhere = std::string_view::npos;

// The position after the string that begins at `at`; kNowhere when it does not end.
size_t EndOfString(std::string_view text, size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '"') return at + 1;
    if (text[at] == '\\') ++at;
  }
  return kNowhere;
}

// The positions of the bytes of interest among 64, one bit each.
struct BlockBits {
  uint64_t quotes = 0, backslashes = 0, opens = 0, closes = 0;
};

BlockBits ScanBlock(const char* bytes) {
  BlockBits bits;
#if defined(__SSE2__)
  for (int i = 0; i < 4; ++i) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + 16 * i));
    // Bit 5 distinguishes `{` from `[` and `}` from `]`, and no other pair.
    const __m128i folded = _mm_or_si128(block, _mm_set1_epi8(0x20));
    const auto mask = [i](__m128i equal) {
      return static_cast<uint64_t>(static_cast<uint32_t>(_mm_movemask_epi8(equal))) << (16 * i);
    };
    bits.quotes |= mask(_mm_cmpeq_epi8(block, _mm_set1_epi8('"')));
    bits.backslashes |= mask(_mm_cmpeq_epi8(block, _mm_set1_epi8('\\')));
    bits.opens |= mask(_mm_cmpeq_epi8(folded, _mm_set1_epi8('{')));
    bits.closes |= mask(_mm_cmpeq_epi8(folded, _mm_set1_epi8('}')));
  }
#else
  for (int i = 0; i < 64; ++i) {
    bits.quotes |= uint64_t{bytes[i] == '"'} << i;
    bits.backslashes |= uint64_t{bytes[i] == '\\'} << i;
    bits.opens |= uint64_t{bytes[i] == '{' || bytes[i] == '['} << i;
    bits.closes |= uint64_t{bytes[i] == '}' || bytes[i] == ']'} << i;
  }
#endif
  return bits;
}

// The quotes that are not escaped. `*carry`: the first byte is escaped; updated for the next block.
uint64_t PlainQuotes(BlockBits bits, bool* carry) {
  uint64_t backslashes = bits.backslashes;
  uint64_t quotes = bits.quotes;
  if (*carry) {
    quotes &= ~uint64_t{1};
    backslashes &= ~uint64_t{1};
  }
  *carry = false;
  while (backslashes != 0) {
    const int at = std::countr_zero(backslashes);
    *carry = at == 63;
    if (at == 63) break;
    const uint64_t escaped = uint64_t{2} << at;
    quotes &= ~escaped;
    backslashes &= ~(escaped | (uint64_t{1} << at));
  }
  return quotes;
}

// Each bit becomes the parity of the bits up to it: set from an opening quote up to its closing one.
uint64_t PrefixParity(uint64_t bits) {
  for (int shift = 1; shift < 64; shift *= 2) bits ^= bits << shift;
  return bits;
}

// The position after the array or object that begins at `at`; kNowhere when it does not end.
size_t EndOfNested(std::string_view text, size_t at) {
  int64_t depth = 0;
  bool in_string = false;
  bool escaped = false;
  for (; at < text.size(); at += 64) {
    char last[64];
    const char* bytes = text.data() + at;
    if (text.size() - at < 64) {
      std::memset(last, ' ', sizeof last);
      std::memcpy(last, bytes, text.size() - at);
      bytes = last;
    }
    const BlockBits bits = ScanBlock(bytes);
    const uint64_t inside = PrefixParity(PlainQuotes(bits, &escaped)) ^ (in_string ? ~uint64_t{0} : 0);
    in_string = inside >> 63;
    const uint64_t opens = bits.opens & ~inside;
    for (uint64_t both = (bits.opens | bits.closes) & ~inside; both != 0; both &= both - 1) {
      depth += (opens & both & -both) != 0 ? 1 : -1;
      if (depth == 0) return at + static_cast<size_t>(std::countr_zero(both)) + 1;
    }
  }
  return kNowhere;
}

}  // namespace

bool JsonSlices::SkipValue() {
  const char first = at_ < text_.size() ? text_[at_] : ',';
  if (first == '"') {
    at_ = EndOfString(text_, at_);
  } else if (first == '{' || first == '[') {
    at_ = EndOfNested(text_, at_);
  } else {
    at_ = std::min(text_.find_first_of(",}] \n\r\t", at_), text_.size());
  }
  return at_ != kNowhere;
}

bool JsonSlices::Next() {
  if (done_) return false;
  SkipBlanks();
  if (at_ < text_.size() && text_[at_] == close_) {
    ++at_;
    SkipBlanks();
    if (at_ != text_.size()) return Fail();
    done_ = true;
    return false;
  }
  if (!first_) {
    if (at_ >= text_.size() || text_[at_] != ',') return Fail();
    ++at_;
    SkipBlanks();
  }
  first_ = false;
  if (is_object()) {
    const size_t begin = at_;
    if (at_ >= text_.size() || text_[at_] != '"') return Fail();
    at_ = EndOfString(text_, at_);
    if (at_ == std::string_view::npos) return Fail();
    key_ = text_.substr(begin + 1, at_ - begin - 2);
    SkipBlanks();
    if (at_ >= text_.size() || text_[at_] != ':') return Fail();
    ++at_;
    SkipBlanks();
  }
  const size_t begin = at_;
  if (!SkipValue() || at_ == begin) return Fail();
  value_ = text_.substr(begin, at_ - begin);
  return true;
}

}  // namespace attune

// JSON as text: finds its first fault, and the extent of each value of an array or object.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace attune {

struct JsonFault {
  enum class Kind {
    kSyntax,    // not JSON (RFC 8259)
    kNotObject,  // JSON, where an object was expected
    kEncoding,  // JSON except for bytes that are not UTF-8, or half a surrogate pair
    kNumber,    // a number that no double, int64 or uint64 holds
    kDepth,     // arrays and objects nested too deeply
  };
  Kind kind = Kind::kSyntax;
  size_t offset = 0;  // of the byte at which it was detected
  std::string what;   // `expected "," or "}"`
};

// The first syntax fault of one JSON value with blanks around it; if it has none, the first fault of another kind.
// Reads in one pass without recursion. Meant for text that a faster parser has refused.
std::optional<JsonFault> FindJsonFault(std::string_view json, size_t max_depth);
// The same for text that a parser has refused: when no fault is found, returns a generic one.
JsonFault JsonFaultOf(std::string_view json, size_t max_depth);

struct TextPosition {
  size_t line = 1;
  size_t column = 1;  // in characters
};
TextPosition PositionOf(std::string_view text, size_t offset);

// `text` truncated to at most `bytes` bytes at a character boundary, with `…` appended if it was truncated.
std::string Preview(std::string_view text, size_t bytes);

// Iterates the members of an object or the items of an array by brackets and quotes alone. A returned slice is only
// known to be balanced, so it still needs a parser. Nothing is copied.
//
//   JsonSlices slices(text);             // `{"a": 1, "b": [2]}`
//   while (slices.Next()) …              // key() "a" value() 1, key() "b" value() [2]
//   if (!slices.ok()) …                  // brackets, quotes, commas or colons are misplaced
class JsonSlices {
 public:
  // `text` is one array or object with blanks around it; it must outlive the iteration.
  explicit JsonSlices(std::string_view text);

  bool Next();
  // The key between its quotes as written (escapes are not decoded); empty in an array.
  std::string_view key() const { return key_; }
  std::string_view value() const { return value_; }

  bool is_object() const { return close_ == '}'; }
  // False when the text is not a well-formed array or object; final once Next() has returned false.
  bool ok() const { return ok_; }

 private:
  bool Fail();
  void SkipBlanks();
  // Moves past one value; false when it has no end.
  bool SkipValue();

  std::string_view text_;
  size_t at_ = 0;
  char close_ = 0;
  bool first_ = true;
  bool done_ = false;
  bool ok_ = true;
  std::string_view key_;
  std::string_view value_;
};

}  // namespace attune

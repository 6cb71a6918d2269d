// JSON as text: where it goes wrong, and where each value of an array or object begins and ends.
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
    kEncoding,  // JSON but for bytes that are not UTF-8, or half a surrogate pair
    kNumber,    // a number that no double, int64 or uint64 holds
    kDepth,     // arrays and objects nested too deep
  };
  Kind kind = Kind::kSyntax;
  size_t offset = 0;  // of the byte at which it was noticed
  std::string what;   // `expected "," or "}"`
};

// The first syntax fault of one JSON value with blanks around it; without one the first fault of another kind. Reads
// in one pass without recursion; meant for what a faster parser has refused.
std::optional<JsonFault> FindJsonFault(std::string_view json, size_t max_depth);
// The same for text that a parser has refused: when this one finds nothing, a fault that says so.
JsonFault JsonFaultOf(std::string_view json, size_t max_depth);

struct TextPosition {
  size_t line = 1;
  size_t column = 1;  // in characters
};
TextPosition PositionOf(std::string_view text, size_t offset);

// `text` cut to at most `bytes` bytes between characters, with `…` after it when something was cut off.
std::string Preview(std::string_view text, size_t bytes);

// Walks the members of an object or the items of an array by brackets and quotes alone: what it hands out is only
// known to be balanced, so each slice still wants a parser. Nothing is copied.
//
//   JsonSlices slices(text);             // `{"a": 1, "b": [2]}`
//   while (slices.Next()) …              // key() "a" value() 1, key() "b" value() [2]
//   if (!slices.ok()) …                  // brackets, quotes, commas or colons are not in order
class JsonSlices {
 public:
  // `text` is one array or object with blanks around it; must outlive the walk.
  explicit JsonSlices(std::string_view text);

  bool Next();
  // The key's text between its quotes, as it is written (escapes are not undone); empty in an array.
  std::string_view key() const { return key_; }
  std::string_view value() const { return value_; }

  bool is_object() const { return close_ == '}'; }
  // False when the text is not an array or object in good order; known for certain after Next() was false.
  bool ok() const { return ok_; }

 private:
  bool Fail();
  void SkipBlanks();
  // Moves past one value; false when it never ends.
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

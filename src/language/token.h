// The tokens of the behaviour language.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace attune {

struct Token {
  enum class Kind { kEnd, kIdentifier, kNumber, kDuration, kString, kInstant, kSymbol, kBad };
  Kind kind = Kind::kEnd;
  size_t begin = 0;       // byte offsets into the text
  size_t end = 0;
  std::string text;       // identifier, symbol; a string with its escapes decoded; of kBad: the error
  double number = 0;      // kNumber
  Millis millis = 0;      // kDuration; kInstant (in UTC, or as if UTC when `local`)
  bool local = false;     // kInstant without an offset: to be interpreted in the plan's zone
};

// Splits a text; the last token is kEnd. A kBad token marks invalid input and ends the list too.
std::vector<Token> Tokenise(std::string_view text);

// `10m`, `1.5h`, `250ms`, as in the plan's settings. False when the text is not exactly one duration.
bool ParseDuration(std::string_view text, Millis* duration);

}  // namespace attune

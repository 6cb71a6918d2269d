#include "event/name.h"

#include <cstddef>
#include <cstdint>

#include "event/code_point.h"
#include "event/fold.h"

namespace attune {
namespace {

bool IsSeparator(uint32_t code) {
  if (code < 0x80) {
    const uint32_t lower = code | 0x20;
    return !((lower >= 'a' && lower <= 'z') || (code >= '0' && code <= '9'));
  }
  if (code < 0xC0) return code != 0xAA && code != 0xB5 && code != 0xBA;  // Latin-1's letters within its punctuation
  return code == 0xD7 || code == 0xF7 || (code >= 0x2000 && code <= 0x206F) || (code >= 0x3000 && code <= 0x3003) ||
         (code >= 0x3008 && code <= 0x3011) || code == 0xFEFF || code == kNoCodePoint;
}

enum class Shape { kNone, kLower, kUpper, kDigit };

Shape ShapeOf(uint32_t code, uint32_t small) {
  if (small != code) return Shape::kUpper;
  return code >= '0' && code <= '9' ? Shape::kDigit : Shape::kLower;
}

bool LowerFollows(std::string_view name, size_t at) {
  if (at >= name.size()) return false;
  const uint32_t next = NextCodePoint(name, &at);
  return !IsSeparator(next) && ShapeOf(next, SmallLetter(next)) == Shape::kLower;
}

bool IsNormalAscii(std::string_view name) {
  if (name.empty() || name.front() == '_' || name.back() == '_') return false;
  char last = 0;
  for (const char c : name) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '_' && last != '_'))) return false;
    last = c;
  }
  return true;
}

}  // namespace

void NormaliseEventName(std::string_view name, std::string* out) {
  if (IsNormalAscii(name)) {
    out->assign(name);
    return;
  }
  out->clear();
  Shape last = Shape::kNone;
  for (size_t at = 0; at < name.size();) {
    const uint32_t code = NextCodePoint(name, &at);
    if (IsSeparator(code)) {
      last = Shape::kNone;
      continue;
    }
    const uint32_t small = SmallLetter(code);
    const Shape shape = ShapeOf(code, small);
    const bool begins_word =
        last == Shape::kNone || (shape == Shape::kUpper && (last == Shape::kLower || LowerFollows(name, at)));
    if (begins_word && !out->empty()) out->push_back('_');
    AppendCodePoint(small, out);
    last = shape;
  }
}

std::string NormaliseEventName(std::string_view name) {
  std::string out;
  NormaliseEventName(name, &out);
  return out;
}

}  // namespace attune

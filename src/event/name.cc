#include "event/name.h"

#include <cstddef>
#include <cstdint>

namespace attune {
namespace {

constexpr uint32_t kInvalid = 0xFFFFFFFF;

// Takes one code point off `text` at `*at`; kInvalid (and one byte further) when it is not UTF-8.
uint32_t NextCodePoint(std::string_view text, size_t* at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(*at);
  const size_t size = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (size == 0 || *at + size > text.size()) {
    ++*at;
    return kInvalid;
  }
  uint32_t code = size == 1 ? lead : lead & (0x7F >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(*at + i) & 0xC0) != 0x80) {
      ++*at;
      return kInvalid;
    }
    code = (code << 6) | (byte(*at + i) & 0x3F);
  }
  *at += size;
  return code;
}

void AppendCodePoint(uint32_t code, std::string* out) {
  const auto put = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6));
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3F));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

// Runs of capitals and where their small letters stand: `step` 1 is a block with a constant distance, 2 is a block in
// which capital (even or odd, as `from` is) and small letter alternate.
struct CaseRun {
  uint32_t from, to;
  int distance;
  uint32_t step;
};
constexpr CaseRun kCaseRuns[] = {
    {'A', 'Z', 32, 1},
    {0x00C0, 0x00D6, 32, 1},   {0x00D8, 0x00DE, 32, 1},
    {0x0100, 0x012E, 1, 2},    {0x0132, 0x0136, 1, 2},  {0x0139, 0x0147, 1, 2}, {0x014A, 0x0176, 1, 2},
    {0x0178, 0x0178, -121, 1}, {0x0179, 0x017D, 1, 2},
    {0x0386, 0x0386, 38, 1},   {0x0388, 0x038A, 37, 1}, {0x038C, 0x038C, 64, 1}, {0x038E, 0x038F, 63, 1},
    {0x0391, 0x03A1, 32, 1},   {0x03A3, 0x03AB, 32, 1},
    {0x0400, 0x040F, 80, 1},   {0x0410, 0x042F, 32, 1}, {0x0460, 0x0480, 1, 2}, {0x048A, 0x04BE, 1, 2},
    {0x04C0, 0x04C0, 15, 1},   {0x04C1, 0x04CD, 1, 2},  {0x04D0, 0x052E, 1, 2},
    {0x1E00, 0x1E94, 1, 2},    {0x1EA0, 0x1EFE, 1, 2},
};

uint32_t Fold(uint32_t code) {
  for (const CaseRun& run : kCaseRuns) {
    if (code < run.from) return code;
    if (code <= run.to) return (code - run.from) % run.step == 0 ? code + run.distance : code;
  }
  return code;
}

bool IsSeparator(uint32_t code) {
  if (code < 0x80) {
    const uint32_t lower = code | 0x20;
    return !((lower >= 'a' && lower <= 'z') || (code >= '0' && code <= '9'));
  }
  if (code < 0xC0) return code != 0xAA && code != 0xB5 && code != 0xBA;  // Latin-1's letters among its punctuation
  return code == 0xD7 || code == 0xF7 || (code >= 0x2000 && code <= 0x206F) || (code >= 0x3000 && code <= 0x3003) ||
         (code >= 0x3008 && code <= 0x3011) || code == 0xFEFF || code == kInvalid;
}

enum class Shape { kNone, kLower, kUpper, kDigit };

Shape ShapeOf(uint32_t code, uint32_t folded) {
  if (folded != code) return Shape::kUpper;
  return code >= '0' && code <= '9' ? Shape::kDigit : Shape::kLower;
}

bool LowerFollows(std::string_view name, size_t at) {
  if (at >= name.size()) return false;
  const uint32_t next = NextCodePoint(name, &at);
  return !IsSeparator(next) && ShapeOf(next, Fold(next)) == Shape::kLower;
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
    const uint32_t folded = Fold(code);
    const Shape shape = ShapeOf(code, folded);
    const bool begins_word = last == Shape::kNone || (shape == Shape::kUpper && (last == Shape::kLower ||
                                                                                LowerFollows(name, at)));
    if (begins_word && !out->empty()) out->push_back('_');
    AppendCodePoint(folded, out);
    last = shape;
  }
}

std::string NormaliseEventName(std::string_view name) {
  std::string out;
  NormaliseEventName(name, &out);
  return out;
}

}  // namespace attune

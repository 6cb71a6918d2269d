#include "event/json_string.h"

#include <charconv>

#include "event/code_point.h"
#include "event/json_text.h"

namespace attune {
namespace {

// The four hexadecimal digits at `text[at]`, which are there.
uint32_t HexUnit(std::string_view text, size_t at) {
  uint32_t unit = 0;
  std::from_chars(text.data() + at, text.data() + at + 4, unit, 16);
  return unit;
}

// Appends the character whose escape has its letter at `text[at]`. Returns the last byte of the escape.
size_t AppendEscape(std::string_view text, size_t at, std::string* out) {
  switch (text[at]) {
    case 'b': out->push_back('\b'); return at;
    case 'f': out->push_back('\f'); return at;
    case 'n': out->push_back('\n'); return at;
    case 'r': out->push_back('\r'); return at;
    case 't': out->push_back('\t'); return at;
    case 'u': break;
    default: out->push_back(text[at]); return at;
  }
  uint32_t code = HexUnit(text, at + 1);
  at += 4;
  if (code >= 0xD800 && code < 0xDC00) {  // a pair of surrogates: `\ud83d\ude00`
    code = 0x10000 + ((code - 0xD800) << 10) + (HexUnit(text, at + 3) - 0xDC00);
    at += 6;
  }
  AppendCodePoint(code, out);
  return at;
}

}  // namespace

std::optional<std::string> TextOfJsonString(std::string_view json) {
  const size_t begin = json.find_first_not_of(" \t\r\n");
  if (begin == json.npos || json[begin] != '"' || FindJsonFault(json, 1)) return std::nullopt;
  const std::string_view text = json.substr(begin + 1, json.rfind('"') - begin - 1);
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      i = AppendEscape(text, i + 1, &out);
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

}  // namespace attune

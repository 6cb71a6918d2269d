#include "dead_letter/dead_letter.h"

#include <algorithm>

#include "base/base64.h"
#include "base/hash.h"
#include "base/json.h"

namespace attune {
namespace {

// Appends valid JSON on one line: line breaks occur only between its tokens.
void AppendOnOneLine(std::string_view json, std::string* out) {
  const size_t begin = out->size();
  out->append(json);
  std::replace_if(
      out->begin() + static_cast<ptrdiff_t>(begin), out->end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
}

// Truncates to `bytes`, at a character boundary if the text is UTF-8.
std::string_view Cut(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return text;
  size_t end = bytes;
  while (end + 4 > bytes && end > 0 && (text[end] & 0xC0) == 0x80) --end;
  return text.substr(0, (text[end] & 0xC0) == 0x80 ? bytes : end);
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

void AppendErrorJson(const EventError& error, std::string* out) {
  *out += "{\"reason\":";
  AppendJsonString(CodeOf(error.reason), out);
  *out += ",\"field\":";
  AppendJsonString(error.field, out);
  *out += ",\"detail\":";
  AppendJsonString(error.detail, out);
  if (!error.value_preview.empty()) {
    *out += ",\"value_preview\":";
    AppendJsonString(error.value_preview, out);
  }
  *out += '}';
}

DeadLetter LetterOfRequest(std::string_view path, std::string_view body, Reason reason, std::string detail) {
  DeadLetter letter;
  letter.source = path;
  letter.errors.push_back({reason, "", std::move(detail)});
  DeadLetter::Body& kept = letter.body.emplace(DeadLetter::Body{});
  kept.original_bytes = body.size();
  kept.digest = ToHex(Hash128(std::string(path) + '\n' + std::string(body)));
  const std::string_view text = Cut(body, kLetterBodyBytes);
  kept.is_cut = text.size() < body.size();
  kept.is_base64 = !IsUtf8(text);
  letter.event = kept.is_base64 ? ToBase64(text) : std::string(text);
  return letter;
}

std::string ToNdjson(const DeadLetter& letter) {
  const EventError& error = letter.first();
  std::string out = "{\"source\":";
  AppendJsonString(letter.source, &out);
  out += ",\"reason\":";
  AppendJsonString(CodeOf(error.reason), &out);
  out += ",\"field\":";
  if (error.field.empty()) {
    out += "null";
  } else {
    AppendJsonString(error.field, &out);
  }
  out += ",\"detail\":";
  AppendJsonString(error.detail, &out);
  out += ",\"event\":";
  if (letter.event_is_json) {
    AppendOnOneLine(letter.event, &out);
  } else {
    AppendJsonString(letter.event, &out);
  }
  return out + "}";
}

}  // namespace attune

#include "http/problem.h"

#include <string>

namespace attune {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// How many bytes the UTF-8 character at the beginning of `text` has; 0 if it is none (too short, a
// surrogate, an overlong form, above U+10FFFF).
size_t CharacterSize(std::string_view text) {
  const auto byte = [&](size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const auto follows = [&](size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return follows(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const unsigned low = lead == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = lead == 0xED ? 0x9F : 0xBF;
    return follows(1, low, high) && follows(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const unsigned low = lead == 0xF0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xF4 ? 0x8F : 0xBF;
    return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

void AppendEscaped(char c, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out->append("\\\"");
      return;
    case '\\':
      out->append("\\\\");
      return;
    case '\n':
      out->append("\\n");
      return;
    case '\r':
      out->append("\\r");
      return;
    case '\t':
      out->append("\\t");
      return;
    default:
      break;
  }
  if (static_cast<unsigned char>(c) >= 0x20) {
    out->push_back(c);
    return;
  }
  out->append("\\u00");
  out->push_back(kHex[c >> 4]);
  out->push_back(kHex[c & 15]);
}

void AppendMember(std::string_view name, std::string_view value, std::string* out) {
  out->push_back(',');
  AppendJsonString(name, out);
  out->push_back(':');
  AppendJsonString(value, out);
}

void AppendMember(const ProblemField& field, std::string* out) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    AppendMember(field.name, *text, out);
    return;
  }
  out->push_back(',');
  AppendJsonString(field.name, out);
  out->push_back(':');
  if (const auto* number = std::get_if<int64_t>(&field.value)) {
    out->append(std::to_string(*number));
  } else {
    out->append(std::get<bool>(field.value) ? "true" : "false");
  }
}

}  // namespace

void AppendJsonString(std::string_view text, std::string* out) {
  out->push_back('"');
  while (!text.empty()) {
    const size_t size = CharacterSize(text);
    if (size == 0) {
      out->append(kReplacement);
    } else if (size == 1) {
      AppendEscaped(text.front(), out);
    } else {
      out->append(text.substr(0, size));
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  out->push_back('"');
}

Response Problem(int status, std::string_view code, std::string_view title, std::string_view detail,
                 const std::vector<ProblemField>& extra) {
  std::string body = "{\"type\":";
  AppendJsonString("https://attune.invalid/problems/" + std::string(code), &body);
  AppendMember("title", title, &body);
  AppendMember(ProblemField{"status", int64_t{status}}, &body);
  if (!detail.empty()) AppendMember("detail", detail, &body);
  AppendMember("code", code, &body);
  for (const ProblemField& field : extra) AppendMember(field, &body);
  body.push_back('}');
  Response response;
  response.status = status;
  response.content_type = "application/problem+json; charset=utf-8";
  response.body = std::move(body);
  return response;
}

}  // namespace attune

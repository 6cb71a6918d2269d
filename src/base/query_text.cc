#include "base/query_text.h"

#include <algorithm>

namespace attune {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Calls visit(name, value), both raw, for each parameter until it returns false.
template <typename Visit>
void ForEachParameter(std::string_view query, Visit visit) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    if (!visit(pair.substr(0, equals), pair.substr(std::min(equals + 1, pair.size())))) return;
  }
}

}  // namespace

int EscapedByte(std::string_view text, size_t i) {
  if (i + 2 >= text.size()) return -1;
  const int high = HexDigit(text[i + 1]);
  const int low = HexDigit(text[i + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

std::string DecodeQueryText(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const int byte = text[i] == '%' ? EscapedByte(text, i) : -1;
    if (byte >= 0) {
      out.push_back(static_cast<char>(byte));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

std::optional<std::string> QueryParameter(std::string_view query, std::string_view name) {
  std::optional<std::string> found;
  ForEachParameter(query, [&](std::string_view key, std::string_view value) {
    if (key != name && DecodeQueryText(key) != name) return true;
    found = DecodeQueryText(value);
    return false;
  });
  return found;
}

std::vector<std::pair<std::string, std::string>> QueryParameters(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> all;
  ForEachParameter(query, [&](std::string_view key, std::string_view value) {
    all.emplace_back(DecodeQueryText(key), DecodeQueryText(value));
    return true;
  });
  return all;
}

}  // namespace attune

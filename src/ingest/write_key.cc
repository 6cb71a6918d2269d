#include "ingest/write_key.h"

#include <algorithm>
#include <cstdint>

#include "event/uri_reference.h"

namespace attune {
namespace {

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

int Base64Digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

// Either alphabet, with or without padding; empty when it is neither.
std::string FromBase64(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int digit = Base64Digit(c);
    if (digit < 0) return "";
    bits = (bits << 6) | static_cast<uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count);
  }
  return out;
}

// The rest after a scheme's name and its blank, when the header is of that scheme.
std::string_view AfterScheme(std::string_view header, std::string_view scheme) {
  header = Trim(header);
  const auto same = [](char a, char b) { return Lower(a) == Lower(b); };
  if (header.size() <= scheme.size() || header[scheme.size()] != ' ' ||
      !std::equal(scheme.begin(), scheme.end(), header.begin(), same)) {
    return {};
  }
  return Trim(header.substr(scheme.size()));
}

std::string FromAuthorization(std::string_view header) {
  if (const std::string_view token = AfterScheme(header, "Bearer"); !token.empty()) return std::string(token);
  const std::string user_and_password = FromBase64(AfterScheme(header, "Basic"));
  return user_and_password.substr(0, user_and_password.find(':'));
}

std::string FromQuery(std::string_view query) {
  for (const std::string_view name : {"writeKey", "api_secret", "token"}) {
    for (std::string_view rest = query; !rest.empty();) {
      const size_t end = std::min(rest.find('&'), rest.size());
      const std::string_view pair = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      const size_t equals = pair.find('=');
      if (equals == std::string_view::npos || pair.substr(0, equals) != name) continue;
      std::string value(pair.substr(equals + 1));
      std::replace(value.begin(), value.end(), '+', ' ');
      if (!value.empty()) return PercentDecode(value);
    }
  }
  return "";
}

}  // namespace

std::string FindWriteKey(const KeySources& sources) {
  if (std::string key = FromAuthorization(sources.authorization); !key.empty()) return key;
  for (const std::string_view given : {sources.x_write_key, sources.x_api_key, sources.body}) {
    if (const std::string_view key = Trim(given); !key.empty()) return std::string(key);
  }
  return FromQuery(sources.query);
}

}  // namespace attune

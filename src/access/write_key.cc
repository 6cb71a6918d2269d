#include "access/write_key.h"

#include <algorithm>

#include "base/base64.h"
#include "event/uri_reference.h"

namespace attune {
namespace {

std::string_view TrimHeader(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// The rest after a scheme's name and blank, if the header uses that scheme.
std::string_view AfterScheme(std::string_view header, std::string_view scheme) {
  header = TrimHeader(header);
  const auto same = [](char a, char b) { return Lower(a) == Lower(b); };
  if (header.size() <= scheme.size() || header[scheme.size()] != ' ' ||
      !std::equal(scheme.begin(), scheme.end(), header.begin(), same)) {
    return {};
  }
  return TrimHeader(header.substr(scheme.size()));
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
    if (const std::string_view key = TrimHeader(given); !key.empty()) return std::string(key);
  }
  return FromQuery(sources.query);
}

}  // namespace attune

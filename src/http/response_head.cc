#include "http/response_head.h"

#include <array>
#include <cstdio>

namespace attune::http {
namespace {

// Only the server sets these: a second one would break the framing.
constexpr std::array<std::string_view, 5> kOwnFields = {"Content-Length", "Transfer-Encoding", "Connection", "Date",
                                                        "Content-Type"};

bool IsOwnField(std::string_view name) {
  for (const std::string_view own : kOwnFields) {
    if (EqualIgnoringCase(name, own)) return true;
  }
  return false;
}

// A value may contain text from the client, which must not be able to start another field.
void AppendFieldText(std::string_view text, std::string* out) {
  for (const char c : text) {
    const bool control = (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
    out->push_back(control ? ' ' : c);
  }
}

void AppendField(std::string_view name, std::string_view value, std::string* out) {
  AppendFieldText(name, out);
  out->append(": ");
  AppendFieldText(value, out);
  out->append("\r\n");
}

}  // namespace

bool StatusAllowsBody(int status) { return status >= 200 && status != 204 && status != 304; }

void AppendResponseHead(const Response& response, const HeadOptions& options, std::string* out) {
  out->append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  out->append(StatusPhrase(response.status)).append("\r\n");
  if (!options.date.empty()) out->append("Date: ").append(options.date).append("\r\n");
  if (!response.content_type.empty()) AppendField("Content-Type", response.content_type, out);
  out->append("X-Content-Type-Options: nosniff\r\n");
  if (!options.request_id.empty()) out->append("Attune-Request-Id: ").append(options.request_id).append("\r\n");
  bool says_cache = false;
  for (const auto& [name, value] : response.headers) {
    if (!IsOwnField(name)) AppendField(name, value, out);
    says_cache |= EqualIgnoringCase(name, "Cache-Control");
  }
  // Answers are not cacheable unless the response sets the field.
  if (!says_cache) out->append("Cache-Control: no-store\r\n");
  if (options.streamed) {
    if (options.http11) out->append("Transfer-Encoding: chunked\r\n");
  } else if (StatusAllowsBody(response.status)) {
    out->append("Content-Length: ").append(std::to_string(response.body.size())).append("\r\n");
  }
  if (!options.keep_alive) {
    out->append("Connection: close\r\n");
  } else if (!options.http11) {
    out->append("Connection: keep-alive\r\n");
  }
  out->append("\r\n");
}

std::string FormatHttpDate(std::time_t time) {
  static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[64];
  const int size = std::snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                                 kDays[static_cast<size_t>(parts.tm_wday)], parts.tm_mday,
                                 kMonths[static_cast<size_t>(parts.tm_mon)], parts.tm_year + 1900, parts.tm_hour,
                                 parts.tm_min, parts.tm_sec);
  return std::string(text, static_cast<size_t>(size));
}

}  // namespace attune::http

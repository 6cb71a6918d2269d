#include "http/message.h"

#include <algorithm>

#include "base/query_text.h"

namespace attune {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

}  // namespace

std::optional<std::string> DecodePathSegment(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const int byte = EscapedByte(text, i);
    if (byte < 0) return std::nullopt;
    out.push_back(static_cast<char>(byte));
    i += 2;
  }
  return out;
}

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return Lower(x) == Lower(y); });
}

Request::Request(std::string_view method, std::string_view target) : is_head_(method == "HEAD") {
  head_.reserve(512);
  headers_.reserve(8);
  method_ = Append(is_head_ ? "GET" : method);
  const size_t mark = std::min(target.find('?'), target.size());
  path_ = Append(target.substr(0, mark));
  query_ = Append(target.substr(std::min(mark + 1, target.size())));
}

void Request::AddHeader(std::string_view name, std::string_view value) {
  const Slice name_slice = Append(name);
  headers_.push_back({name_slice, Append(value)});
}

Request::Slice Request::Append(std::string_view text) {
  const Slice slice{static_cast<uint32_t>(head_.size()), static_cast<uint32_t>(text.size())};
  head_.append(text);
  return slice;
}

std::optional<std::string_view> Request::Header(std::string_view name) const {
  for (const Field& field : headers_) {
    if (EqualIgnoringCase(View(field.name), name)) return View(field.value);
  }
  return std::nullopt;
}

std::pair<std::string_view, std::string_view> Request::header(size_t i) const {
  return {View(headers_[i].name), View(headers_[i].value)};
}

std::optional<std::string> Request::QueryParameter(std::string_view name) const {
  return attune::QueryParameter(query(), name);
}

std::vector<std::pair<std::string, std::string>> Request::QueryParameters() const {
  return attune::QueryParameters(query());
}

std::optional<std::vector<std::string>> Request::PathSegments() const {
  std::vector<std::string> segments;
  std::string_view rest = path();
  if (rest.starts_with('/')) rest.remove_prefix(1);
  if (rest.empty()) return segments;
  for (;;) {
    const size_t end = std::min(rest.find('/'), rest.size());
    auto segment = DecodePathSegment(rest.substr(0, end));
    if (!segment) return std::nullopt;
    segments.push_back(std::move(*segment));
    if (end == rest.size()) return segments;
    rest.remove_prefix(end + 1);
  }
}

std::string_view StatusPhrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 451: return "Unavailable For Legal Reasons";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Unknown";
  }
}

}  // namespace attune

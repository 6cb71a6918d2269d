// A request as received, and a response to send. Plain values, no sockets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace attune {

// Decodes %XX escapes; nullopt on a malformed escape. '+' is unchanged. %00 decodes to an ordinary zero byte: ids may
// contain one, and no path here names a file.
std::optional<std::string> DecodePathSegment(std::string_view text);

// Compares ASCII letters without case.
bool EqualIgnoringCase(std::string_view a, std::string_view b);

// Returned views are valid as long as the request, and until it is moved from.
class Request {
 public:
  Request() = default;
  // Constructors for parsers and tests. `target` is `/path?query`.
  Request(std::string_view method, std::string_view target);
  void AddHeader(std::string_view name, std::string_view value);
  void set_peer(std::string peer) { peer_ = std::move(peer); }

  // HEAD appears as GET; see is_head().
  std::string_view method() const { return View(method_); }
  bool is_head() const { return is_head_; }

  // Raw: not percent-decoded, so that an encoded '/' is distinct from a real one.
  std::string_view path() const { return View(path_); }
  // Without the '?'; empty if there is none.
  std::string_view query() const { return View(query_); }

  // The value of the first field with that name, in any case, without surrounding blanks.
  std::optional<std::string_view> Header(std::string_view name) const;
  size_t header_count() const { return headers_.size(); }
  std::pair<std::string_view, std::string_view> header(size_t i) const;

  // The first query parameter with that name, decoded; nullopt if absent, empty if it has no value.
  std::optional<std::string> QueryParameter(std::string_view name) const;
  // All parameters in order, decoded.
  std::vector<std::pair<std::string, std::string>> QueryParameters() const;

  // `/v1/users/a%2Fb` gives v1, users, a/b; `/a/` ends in an empty segment; `/` has none. nullopt: a segment cannot be
  // decoded (answer 400).
  std::optional<std::vector<std::string>> PathSegments() const;

  // As sent: not decompressed. A server reserves kBodyPadding spare bytes of capacity after it, so that a JSON parser
  // that reads past the end needs no copy. May be moved from.
  std::string body;
  static constexpr size_t kBodyPadding = 64;

  // The remote address, without the port.
  const std::string& peer() const { return peer_; }

 private:
  struct Slice {
    uint32_t at = 0;
    uint32_t size = 0;
  };
  struct Field {
    Slice name, value;
  };
  std::string_view View(Slice s) const { return std::string_view(head_).substr(s.at, s.size); }
  Slice Append(std::string_view text);

  std::string head_;  // all text except the body in one string; slices point into it
  Slice method_, path_, query_;
  std::vector<Field> headers_;
  std::string peer_;
  bool is_head_ = false;
};

struct Response {
  int status = 200;
  std::string content_type;  // empty: not sent
  // The server writes Content-Length, Transfer-Encoding, Connection and Date itself and ignores them here. Line breaks
  // within a value become blanks.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  // For a 5xx answer: the cause, for the journal. The client gets the request's id instead.
  std::string trouble = {};
};

// `OK`, `Not Found`; `Unknown` for a code without a registered phrase.
std::string_view StatusPhrase(int status);

}  // namespace attune

// A request as it came in, and a response as it will go out. Plain values, no sockets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace attune {

// Bytes of %XX escapes decoded; nullopt on a broken escape. '+' is left alone. %00 is a
// zero byte like any other: ids may hold one, and no path here is a file's.
std::optional<std::string> DecodePathSegment(std::string_view text);

// As browsers encode forms: %XX and '+' for a space. A broken escape stays as it is.
std::string DecodeQueryText(std::string_view text);

// ASCII letters are equal in either case.
bool EqualIgnoringCase(std::string_view a, std::string_view b);

// Views returned live as long as the request they came from and die when it is moved from.
class Request {
 public:
  Request() = default;
  // What a parser or a test begins with. `target` is `/path?query`.
  Request(std::string_view method, std::string_view target);
  void AddHeader(std::string_view name, std::string_view value);
  void set_peer(std::string peer) { peer_ = std::move(peer); }

  // HEAD comes as GET, see is_head().
  std::string_view method() const { return View(method_); }
  bool is_head() const { return is_head_; }

  // Raw: not percent-decoded, so that an encoded '/' is still told from a real one.
  std::string_view path() const { return View(path_); }
  // Without the '?'; empty if there is none.
  std::string_view query() const { return View(query_); }

  // The value of the first field of that name, without surrounding blanks. Case does not matter.
  std::optional<std::string_view> Header(std::string_view name) const;
  size_t header_count() const { return headers_.size(); }
  std::pair<std::string_view, std::string_view> header(size_t i) const;

  // The first query parameter of that name, decoded; nullopt if absent, empty if without a value.
  std::optional<std::string> QueryParameter(std::string_view name) const;
  // All of them in order, decoded.
  std::vector<std::pair<std::string, std::string>> QueryParameters() const;

  // `/v1/users/a%2Fb` gives v1, users, a/b; `/a/` ends in an empty one; `/` has none. nullopt: a
  // segment cannot be decoded (answer 400).
  std::optional<std::vector<std::string>> PathSegments() const;

  // As sent: not decompressed. A server leaves kBodyPadding spare bytes of capacity behind it, so
  // that a JSON parser that reads past the end needs no copy. It may be moved out.
  std::string body;
  static constexpr size_t kBodyPadding = 64;

  // The address of the other end, without its port.
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

  std::string head_;  // all text but the body, one piece; slices point into it
  Slice method_, path_, query_;
  std::vector<Field> headers_;
  std::string peer_;
  bool is_head_ = false;
};

struct Response {
  int status = 200;
  std::string content_type;  // empty: none is sent
  // The server writes Content-Length, Transfer-Encoding, Connection and Date itself and drops them
  // here. Line breaks within a value become blanks.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  // Of an answer 5xx: what went wrong, for the journal. The client gets the request's id in its place.
  std::string trouble = {};
};

// `OK`, `Not Found`; `Unknown` for a code without a registered phrase.
std::string_view StatusPhrase(int status);

}  // namespace attune

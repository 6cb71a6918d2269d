// Requests as bytes of a connection: the parsed requests do not depend on how the bytes are split into pieces. (Only
// the moment at which a bad request is detected does: within an incomplete head, earlier or later.)
#include <vector>

#include "base/check.h"
#include "http/limits.h"
#include "http/request_parser.h"

namespace {

using namespace attune;

struct Read {
  std::string method, target, body;
  std::vector<std::pair<std::string, std::string>> headers;
  bool keep_alive = false;
  bool operator==(const Read&) const = default;
};

// Feeds pieces of `step` bytes. Unused bytes are passed again with the next piece.
std::vector<Read> ReadAll(std::string_view bytes, size_t step, const HttpLimits& limits) {
  std::vector<Read> requests;
  RequestParser parser(limits);
  std::string waiting;
  for (size_t at = 0; at < bytes.size(); at += step) {
    waiting += bytes.substr(at, step);
    while (true) {
      size_t used = 0;
      const auto progress = parser.Feed(waiting, &used);
      ATTUNE_CHECK(used <= waiting.size(), "no more is used than was given");
      waiting.erase(0, used);
      if (progress == RequestParser::Progress::kFailed) {
        ATTUNE_CHECK(parser.failure().status >= 400, "a failure is an answer");
        return requests;
      }
      if (progress == RequestParser::Progress::kNeedMore) break;
      const Request request = parser.TakeRequest();
      Read read{std::string(request.method()),
                std::string(request.path()) + "?" + std::string(request.query()),
                request.body,
                {},
                parser.keep_alive()};
      for (size_t i = 0; i < request.header_count(); ++i) read.headers.emplace_back(request.header(i));
      (void)request.PathSegments();
      (void)request.QueryParameters();
      requests.push_back(std::move(read));
    }
  }
  return requests;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  HttpLimits limits;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::vector<Read> whole = ReadAll(bytes, bytes.size() + 1, limits);
  const std::vector<Read> pieces = ReadAll(bytes, 1 + data[0] % 16, limits);
  ATTUNE_CHECK(whole == pieces, "how the bytes arrive changes nothing");
  return 0;
}

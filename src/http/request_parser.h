// Parses bytes to requests: one parser per connection, used for one request after the other. It
// wraps Boost.Beast's parser and refuses input that Beast accepts although two readers could
// interpret it as different requests (obs-fold, repeated lengths, encodings other than chunked,
// ...).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "http/limits.h"
#include "http/message.h"

namespace attune {

class RequestParser {
 public:
  enum class Progress {
    kNeedMore,  // all usable bytes were consumed; pass the rest again together with more
    kDone,      // TakeRequest() returns it; the bytes not consumed belong to the next request
    kFailed,    // failure() has the reason; the framing is lost, so the connection must close
  };

  // `limits` must outlive the parser.
  explicit RequestParser(const HttpLimits& limits);
  ~RequestParser();

  // Parses a piece of the connection's bytes and sets *used to the number of bytes consumed, which
  // need not be passed again.
  Progress Feed(std::string_view bytes, size_t* used);

  // A byte of the current request has been seen.
  bool started() const;
  // The head is complete; the body follows.
  bool in_body() const;
  uint64_t body_bytes_received() const;
  // Whether the client waits for `100 Continue` before it sends its body. True at most once per
  // request.
  bool TakeExpectation();

  // After kDone. The parser is then ready for the next request.
  Request TakeRequest();
  // For the request last taken.
  bool keep_alive() const;
  bool http11() const;

  const Response& failure() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace attune

// Bytes to requests: one parser per connection, used for one request after the other. It wraps
// Boost.Beast's parser and refuses what that one lets through although two readers could take it
// for different requests (obs-fold, repeated lengths, encodings other than chunked, ...).
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
    kNeedMore,  // everything that could be used was; give the rest again together with more
    kDone,      // TakeRequest() has it; the bytes not used belong to the next request
    kFailed,    // failure() says why; the connection cannot go on, for its framing is lost
  };

  // `limits` must outlive the parser.
  explicit RequestParser(const HttpLimits& limits);
  ~RequestParser();

  // Reads a piece of the connection's bytes and sets *used to how many it has consumed: those are
  // not needed again.
  Progress Feed(std::string_view bytes, size_t* used);

  // A byte of the present request has been seen.
  bool started() const;
  // The head is complete; what comes now is the body.
  bool in_body() const;
  uint64_t body_bytes_received() const;
  // The client waits for `100 Continue` before it sends its body (asked once: the answer is then
  // no).
  bool TakeExpectation();

  // After kDone. The parser is then ready for the next request.
  Request TakeRequest();
  // Of the request last taken.
  bool keep_alive() const;
  bool http11() const;

  const Response& failure() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace attune

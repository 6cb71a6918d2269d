// A small blocking HTTP/1.1 client for tests and benchmarks: one connection, kept alive. Not for
// talking to strangers: it trusts the server's framing and follows no redirects.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace attune {

struct ClientResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  // The value of the first field of that name; case does not matter.
  std::optional<std::string_view> Header(std::string_view name) const;
};

using ClientHeaders = std::vector<std::pair<std::string, std::string>>;

// Every function blocks, for at most the timeout given to Connect() between two bytes: then kIo.
class Client {
 public:
  // `host` is an IPv4 or IPv6 address or `localhost`.
  static Result<Client> Connect(const std::string& host, uint16_t port, int timeout_ms = 10'000);

  Client(Client&& other) noexcept;
  Client& operator=(Client&& other) noexcept;
  ~Client();

  // Sends a request and reads its whole answer. Host and Content-Length are added. An answer with
  // `Connection: close` closes; the next call is then kIo.
  Result<ClientResponse> Call(std::string_view method, std::string_view target, const ClientHeaders& headers = {},
                              std::string_view body = "");

  // For tests of framing and of streams.

  Status SendRaw(std::string_view bytes);
  // The next answer, 100 Continue included. `head` true: it belongs to a HEAD request, without
  // body.
  Result<ClientResponse> ReadResponse(bool head = false);
  // Status line and fields only; the body is then read with ReadChunk or ReadSome.
  Result<ClientResponse> ReadHead();
  // The next chunk of a chunked body; empty: it was the last.
  Result<std::string> ReadChunk();
  // At least one byte, as it comes; empty: the server has closed.
  Result<std::string> ReadSome();
  // Ends our half; answers can still be read.
  void ShutdownSend();
  void Close();

 private:
  Client(int fd, int timeout_ms) : fd_(fd), timeout_ms_(timeout_ms) {}
  // Reads more into pending_. False in the result: the server has closed.
  Result<bool> Fill();
  // Through the delimiter, which is consumed and not returned.
  Result<std::string> TakeUntil(std::string_view delimiter);
  Result<std::string> TakeBytes(size_t count);
  Status ReadBody(ClientResponse* response);

  int fd_ = -1;
  int timeout_ms_ = 0;
  std::string host_;
  std::string pending_;
};

}  // namespace attune

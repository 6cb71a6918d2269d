// A small blocking HTTP/1.1 client for commands, tests and benchmarks: one connection, kept alive. Use it only with
// trusted servers: it trusts the server's framing. It follows no redirects.
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

  // The value of the first field with that name, in any case.
  std::optional<std::string_view> Header(std::string_view name) const;
};

using ClientHeaders = std::vector<std::pair<std::string, std::string>>;

// Every function blocks. It fails with kIo when the timeout given to Connect() passes between two
// bytes.
class Client {
 public:
  // `host` is an IPv4 or IPv6 address or a name, whose addresses are tried in turn. kInvalid: it has no address.
  static Result<Client> Connect(const std::string& host, uint16_t port, int timeout_ms = 10'000);

  Client(Client&& other) noexcept;
  Client& operator=(Client&& other) noexcept;
  ~Client();

  // Sends a request and reads its whole answer. Adds Host and Content-Length. An answer with
  // `Connection: close` closes the connection; the next call then fails with kIo.
  Result<ClientResponse> Call(std::string_view method, std::string_view target, const ClientHeaders& headers = {},
                              std::string_view body = "");

  // The same, up to the end of the answer's head; the body is then read with ReadBody, ReadChunk or ReadSome.
  Result<ClientResponse> CallForHead(std::string_view method, std::string_view target,
                                     const ClientHeaders& headers = {}, std::string_view body = "");
  // Reads the body that belongs to a head, into it.
  Status ReadBody(ClientResponse* response);

  // For tests of framing and of streams.

  Status SendRaw(std::string_view bytes);
  // The next answer, 100 Continue included. `head`: it answers a HEAD request, so it has no body.
  Result<ClientResponse> ReadResponse(bool head = false);
  // Status line and fields only; the body is then read with ReadChunk or ReadSome.
  Result<ClientResponse> ReadHead();
  // The next chunk of a chunked body; empty after the last chunk.
  Result<std::string> ReadChunk();
  // At least one byte; empty: the server closed the connection.
  Result<std::string> ReadSome();
  // Closes the sending half; answers can still be read.
  void ShutdownSend();
  void Close();

 private:
  Client(int fd, int timeout_ms) : fd_(fd), timeout_ms_(timeout_ms) {}
  // Reads more into pending_. False: the server closed the connection.
  Result<bool> Fill();
  // Returns the bytes before the delimiter and consumes the delimiter too.
  Result<std::string> TakeUntil(std::string_view delimiter);
  Result<std::string> TakeBytes(size_t count);
  Status SendRequest(std::string_view method, std::string_view target, const ClientHeaders& headers,
                     std::string_view body);

  int fd_ = -1;
  int timeout_ms_ = 0;
  std::string host_;
  std::string pending_;
};

}  // namespace attune

// The HTTP/1.1 server: sockets in, requests to a handler, answers back. It knows nothing of routes,
// keys or compression.
//
// Threads: one event loop each, and a connection stays with its loop. The handler runs on the
// loop's thread and must not block it; the answer may come later, from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "http/limits.h"
#include "http/message.h"

namespace attune {
namespace http {
class Mailbox;
class Loop;
struct StreamState;
}  // namespace http

// An answer that is written piece by piece (server-sent events, exports). Write() may be called
// from any thread, one at a time. Destroying it closes it. It may outlive the server: it is then
// closed.
class StreamWriter {
 public:
  StreamWriter() = default;
  StreamWriter(StreamWriter&&) noexcept = default;
  StreamWriter& operator=(StreamWriter&& other) noexcept;
  ~StreamWriter() { Close(); }

  // False: the client is gone, the server drains, or the client reads so slowly that more than
  // HttpLimits::stream_buffer_bytes would wait for it, in which case it is cut off by this call.
  // Nothing written later will arrive. An empty chunk does nothing.
  bool Write(std::string_view chunk);

  // Whether Write could still succeed: for a producer that has nothing to say.
  bool open() const;

  // What the client has not taken yet: a producer that can wait does so and is not cut off. 0 once closed.
  size_t waiting_bytes() const;

  // Whether the answer ended because the client read too slowly, or nothing at all for HttpLimits::write_stall_ms.
  bool cut() const;

  // Ends the answer; what was written before is still sent.
  void Close();

 private:
  friend class Reply;
  StreamWriter(std::shared_ptr<http::Mailbox> mailbox, uint64_t connection, bool chunked,
               std::shared_ptr<http::StreamState> state);

  std::shared_ptr<http::Mailbox> mailbox_;  // null: closed
  uint64_t connection_ = 0;
  bool chunked_ = false;
  std::shared_ptr<http::StreamState> state_;
};

// The right to answer one request, once, from any thread. Destroyed unused, it answers 500, so that
// no client waits for ever. It may outlive the connection and the server: the answer is then
// dropped.
class Reply {
 public:
  Reply(Reply&&) noexcept = default;
  ~Reply();

  // Exactly one of these two, once.
  void Send(Response response);
  // Sends status, content type and headers of `head`, and its body, if any, as the first piece.
  StreamWriter Stream(Response head);

 private:
  friend class http::Loop;
  Reply(std::shared_ptr<http::Mailbox> mailbox, uint64_t connection, bool chunked, size_t stream_buffer_bytes);

  std::shared_ptr<http::Mailbox> mailbox_;  // null: used
  uint64_t connection_ = 0;
  bool chunked_ = false;
  size_t stream_buffer_bytes_ = 0;
};

// Runs on a loop's thread and must not block. An exception that escapes it is swallowed and the
// request answered with 500.
using Handler = std::function<void(Request, Reply)>;

// What the path of a request asks for, without what it says of anybody: `/v1/users/{id}/behavior`. Empty: nothing that is
// known. Any thread; the view lives for ever.
using RouteName = std::function<std::string_view(const Request& request)>;

struct ServerOptions {
  std::string host = "127.0.0.1";  // an address or a name; "0.0.0.0" or "::" for all interfaces
  uint16_t port = 0;               // 0 picks a free one, see Server::port()
  int threads = 1;
  HttpLimits limits;
  // With it each answer is a line of the journal; without it none is.
  RouteName route_of = nullptr;
};

// Counted since the start. For metrics: each number is right by itself, not together.
struct ServerStats {
  int64_t connections_open = 0;
  uint64_t connections_accepted = 0;
  uint64_t connections_refused = 0;  // closed at once: their network had as many as it may
  uint64_t accept_failures = 0;   // mostly: no file descriptors left
  uint64_t requests = 0;          // handed to the handler
  uint64_t refused = 0;           // malformed or over a limit: answered by the server itself
  uint64_t timed_out = 0;         // closed for being slow in any of the ways of HttpLimits
  uint64_t streams_cut = 0;       // streamed answers cut off because the client read too slowly
  uint64_t handler_failures = 0;  // exceptions that escaped the handler
};

// Thread-safe but for Drain(), which must not be called from the handler.
class Server {
 public:
  // kConflict: another socket has the port (the message names the address). kIo: anything else the
  // operating system refuses. kInvalid: the host is unknown.
  static Result<std::unique_ptr<Server>> Start(ServerOptions options, Handler handler);

  // As Drain(0).
  ~Server();

  uint16_t port() const;
  ServerStats stats() const;

  // Stops accepting, closes idle connections, ends streams, lets requests that have begun to arrive
  // be answered (with `Connection: close`) for at most `deadline_ms`, then closes what is left and
  // joins the threads. Blocks; the handler is not called after it. True: nothing was cut off.
  bool Drain(int64_t deadline_ms);

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace attune

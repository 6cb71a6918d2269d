// The HTTP/1.1 server: accepts sockets, passes requests to a handler, writes answers. It does not depend on routes,
// keys or compression.
//
// Threads: each runs one event loop, and a connection stays with its loop. The handler runs on the loop's thread and
// must not block it; the answer may come later, from any thread.
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

// An answer that is written in pieces (server-sent events, exports). Write() may be called from any thread, one call at
// a time. Destruction closes the answer. The writer may outlive the server; it is closed then.
class StreamWriter {
 public:
  StreamWriter() = default;
  StreamWriter(StreamWriter&&) noexcept = default;
  StreamWriter& operator=(StreamWriter&& other) noexcept;
  ~StreamWriter() { Close(); }

  // False: the client is gone, the server is draining, or the client reads so slowly that more than
  // HttpLimits::stream_buffer_bytes would be buffered, in which case this call closes the connection. After false,
  // nothing more is sent. An empty chunk does nothing.
  bool Write(std::string_view chunk);

  // Whether Write could still succeed, for a producer that has nothing to write.
  bool open() const;

  // The bytes that the client has not taken yet. A producer that waits for them avoids being cut off. 0 once closed.
  size_t waiting_bytes() const;

  // Whether the answer ended because the client read too slowly, or read nothing for HttpLimits::write_stall_ms.
  bool cut() const;

  // Ends the answer; earlier writes are still sent.
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

// The right to answer one request, once, from any thread. If it is destroyed unused, it answers 500, so that no client
// waits forever. It may outlive the connection and the server; the answer is then dropped.
class Reply {
 public:
  Reply(Reply&&) noexcept = default;
  ~Reply();

  // Call exactly one of these two, once.
  void Send(Response response);
  // Sends status, content type and headers of `head`, and its body, if any, as the first piece.
  StreamWriter Stream(Response head);

 private:
  friend class http::Loop;
  Reply(std::shared_ptr<http::Mailbox> mailbox, uint64_t connection, bool chunked, size_t stream_buffer_bytes);

  std::shared_ptr<http::Mailbox> mailbox_;  // null: already used
  uint64_t connection_ = 0;
  bool chunked_ = false;
  size_t stream_buffer_bytes_ = 0;
};

// Runs on a loop's thread and must not block. An exception that escapes it is caught, and the request is answered with
// 500.
using Handler = std::function<void(Request, Reply)>;

// The route of a request, without parts that identify a user: `/v1/users/{id}/behavior`. Empty: no known route. Called
// from any thread; the view must stay valid forever.
using RouteName = std::function<std::string_view(const Request& request)>;

struct ServerOptions {
  std::string host = "127.0.0.1";  // an address or a name; "0.0.0.0" or "::" for all interfaces
  uint16_t port = 0;               // 0 chooses a free one, see Server::port()
  int threads = 1;
  HttpLimits limits;
  // If set, each answer is a line of the journal.
  RouteName route_of = nullptr;
};

// Counted since the start, for metrics: each number is accurate, but they are not a consistent snapshot.
struct ServerStats {
  int64_t connections_open = 0;
  uint64_t connections_accepted = 0;
  uint64_t connections_refused = 0;  // closed immediately: their network was at its limit
  uint64_t accept_failures = 0;   // mostly out of file descriptors
  uint64_t requests = 0;          // passed to the handler
  uint64_t refused = 0;           // malformed or over a limit: answered by the server itself
  uint64_t timed_out = 0;         // closed for exceeding a time of HttpLimits
  uint64_t streams_cut = 0;       // streamed answers closed because the client read too slowly
  uint64_t handler_failures = 0;  // exceptions that escaped the handler
};

// Thread-safe, except that Drain() must not be called from the handler.
class Server {
 public:
  // kConflict: the port is in use (the message names the address). kIo: any other error of the operating system.
  // kInvalid: the host is unknown.
  static Result<std::unique_ptr<Server>> Start(ServerOptions options, Handler handler);

  // As Drain(0).
  ~Server();

  uint16_t port() const;
  ServerStats stats() const;

  // Stops accepting, closes idle connections and ends streams. Requests that have begun to arrive are answered (with
  // `Connection: close`) for at most `deadline_ms`. Then closes the remaining connections and joins the threads.
  // Blocks; the handler is not called afterwards. True: nothing was cut off.
  bool Drain(int64_t deadline_ms);

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace attune

// All limits of the HTTP server, each with what happens to a client that exceeds it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace attune {

struct HttpLimits {
  // Size. The server answers itself, names the limit in the answer, and closes the connection.
  size_t head_bytes = 16 * 1024;            // request line and fields: 431
  size_t head_fields = 100;                 // number of fields, trailers included: 431
  size_t target_bytes = 8 * 1024;           // path and query as sent: 414
  size_t body_bytes = 4 * 1024 * 1024;      // body as sent, before any decompression: 413
  size_t chunk_extension_bytes = 4 * 1024;  // extensions of all chunks of a body together: 400

  // Time. The server checks a few times per the shortest of these, at least once a second, so a client may get up to a
  // quarter more.
  int64_t head_deadline_ms = 10'000;       // from first byte to end of the head: 408, closed
  int64_t body_grace_ms = 5'000;           // a body may be this slow at first ...
  size_t body_bytes_per_second = 1024;     // ... then its average must keep this pace: 408, closed
  int64_t idle_ms = 60'000;                // between requests: closed without an answer
  int64_t write_stall_ms = 30'000;         // the client takes none of an answer: closed
  int64_t linger_ms = 2'000;               // after the last answer the server waits this long for the client to
  size_t linger_bytes = 16 * 1024 * 1024;  // close, and discards this much input; after that it may see a reset

  // A streamed answer buffers this much for a slow client; beyond it the connection is closed.
  size_t stream_buffer_bytes = 1024 * 1024;

  // At this number no connection is accepted until one closes: clients wait in the kernel's backlog.
  int max_connections = 10'000;

  // Per network (IPv4: /24, IPv6: /48; loopback is exempt); 0: no limit. Above it a connection is closed immediately.
  int max_connections_per_network = 2'000;
};

}  // namespace attune

// One event loop with its thread and its connections. Internal to this module.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>

#include "http/asio.h"
#include "http/connection.h"
#include "http/mailbox.h"
#include "http/server.h"

namespace attune::http {

// Written by one loop, read from any thread.
struct Counters {
  std::atomic<uint64_t> requests = 0;
  std::atomic<uint64_t> refused = 0;
  std::atomic<uint64_t> timed_out = 0;
  std::atomic<uint64_t> streams_cut = 0;
  std::atomic<uint64_t> handler_failures = 0;
};

using Timer =
    boost::asio::basic_waitable_timer<std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>,
                                      boost::asio::io_context::executor_type>;

class Loop {
 public:
  // `limits` and `handler` must outlive the loop. `on_closed` is called on the loop's thread for
  // every adopted connection after it is destroyed.
  Loop(const HttpLimits& limits, const Handler& handler, const RouteName& route_of, std::function<void()> on_closed);
  // Stops the thread if it runs and closes the remaining connections.
  ~Loop();

  void Start();
  // Does not drain connections. After it returns, no code of this loop runs.
  void Stop();

  // Any thread.
  boost::asio::io_context& context() { return context_; }
  const Counters& counters() const { return counters_; }
  void Adopt(Socket socket, NetworkCap::Place place);
  void BeginDrain();

  // For connections, on the loop's thread.
  Counters& counters() { return counters_; }
  const HttpLimits& limits() const { return limits_; }
  bool draining() const { return draining_; }
  int64_t NowMs() const;
  const std::string& Date();
  // 16 hexadecimal digits, unique to this request.
  std::string NextRequestId();
  // Empty: answers are not written to the journal.
  const RouteName& route_of() const { return route_of_; }
  // Returns the answer if the handler gave it before it returned.
  std::optional<Delivery> CallHandler(uint64_t connection, Request request, bool chunked);
  // Destroys the connection in the next iteration of the loop.
  void Retire(uint64_t connection);

 private:
  void Sweep();
  void DeliverAll();

  const HttpLimits& limits_;
  const Handler& handler_;
  const RouteName& route_of_;
  const std::function<void()> on_closed_;
  const uint32_t id_prefix_;  // prefix of this loop's request ids, random at each start
  uint32_t last_request_ = 0;
  Counters counters_;

  // A concurrency hint of one thread; other threads may still post.
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  Timer sweep_timer_;
  std::shared_ptr<Mailbox> mailbox_;
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
  uint64_t last_connection_ = 0;
  bool draining_ = false;
  std::time_t date_second_ = 0;
  std::string date_;
  std::thread thread_;
};

}  // namespace attune::http

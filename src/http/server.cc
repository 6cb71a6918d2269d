#include "http/server.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

#include "http/loop.h"

namespace attune {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Acceptor = asio::basic_socket_acceptor<tcp, asio::io_context::executor_type>;

// The delay after accepting fails, mostly for lack of descriptors: a listening socket stays ready,
// so retrying immediately would spin until a descriptor is free.
constexpr auto kAcceptRetry = std::chrono::milliseconds(100);

std::string AddressText(const ServerOptions& options) {
  const bool v6 = options.host.find(':') != std::string::npos;
  return (v6 ? "[" + options.host + "]" : options.host) + ":" + std::to_string(options.port);
}

Error ListenError(const ServerOptions& options, const error_code& ec) {
  if (ec == asio::error::address_in_use) {
    return {ErrorCode::kConflict, "cannot listen on " + AddressText(options) + ": another program has this port"};
  }
  return {ErrorCode::kIo, "cannot listen on " + AddressText(options) + ": " + ec.message()};
}

}  // namespace

// One acceptor distributes its sockets to the loops in turn. One acceptor per loop with
// SO_REUSEPORT would silently allow a second process on the same port, and would spread few
// connections unevenly. Clients keep their connections, so the cost of accepting does not matter.
class Server::Impl {
 public:
  Impl(ServerOptions options, Handler handler)
      : options_(std::move(options)),
        handler_(std::move(handler)),
        networks_(std::make_shared<http::NetworkCap>(options_.limits.max_connections_per_network)) {
    for (int i = 0; i < std::max(1, options_.threads); ++i) {
      loops_.push_back(std::make_unique<http::Loop>(options_.limits, handler_, options_.route_of, [this] { OnClosed(); }));
    }
  }
  ~Impl();

  Status Listen();
  Status StartThreads();
  bool Drain(int64_t deadline_ms);
  uint16_t port() const { return port_; }
  ServerStats stats() const;

 private:
  // The first loop has the acceptor.
  asio::io_context& accept_context() { return loops_[0]->context(); }
  Result<tcp::endpoint> Resolve();
  void Accept();
  void OnAccepted(http::Loop& loop, const error_code& ec, http::Socket socket);
  void AcceptLater();
  void OnClosed();
  bool WaitUntilAllClosed(int64_t deadline_ms);

  const ServerOptions options_;
  const Handler handler_;
  const std::shared_ptr<http::NetworkCap> networks_;
  std::vector<std::unique_ptr<http::Loop>> loops_;
  std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<http::Timer> retry_timer_;
  uint16_t port_ = 0;
  size_t next_loop_ = 0;
  bool stopped_ = false;

  std::atomic<uint64_t> accepted_ = 0;
  std::atomic<uint64_t> connections_refused_ = 0;
  std::atomic<uint64_t> accept_failures_ = 0;
  std::atomic<int64_t> open_ = 0;
  std::atomic<bool> paused_ = false;  // at max_connections; the next connection to close resumes accepting
  std::atomic<bool> draining_ = false;
  std::mutex mutex_;
  std::condition_variable all_closed_;
};

Server::Impl::~Impl() {
  Drain(0);
  // One by one, in this order: the first loop's pending accept holds a socket of another loop.
  for (auto& loop : loops_) loop.reset();
}

Result<tcp::endpoint> Server::Impl::Resolve() {
  error_code ec;
  tcp::resolver resolver(accept_context());
  const auto found = resolver.resolve(options_.host, std::to_string(options_.port), tcp::resolver::passive, ec);
  if (ec || found.empty()) {
    return Error{ErrorCode::kInvalid,
                 "cannot listen on " + AddressText(options_) + ": " + (ec ? ec.message() : "the host has no address")};
  }
  return found.begin()->endpoint();
}

Status Server::Impl::Listen() {
  const auto endpoint = Resolve();
  if (!endpoint.ok()) return endpoint.error();
  acceptor_ = std::make_unique<Acceptor>(accept_context().get_executor());
  retry_timer_ = std::make_unique<http::Timer>(accept_context().get_executor());
  error_code ec;
  acceptor_->open(endpoint->protocol(), ec);
  // Lets a restarted server reuse the port of closed connections, but not a port with a listener.
  if (!ec) acceptor_->set_option(Acceptor::reuse_address(true), ec);
  if (!ec) acceptor_->bind(*endpoint, ec);
  if (!ec) acceptor_->listen(Acceptor::max_listen_connections, ec);
  if (!ec) port_ = acceptor_->local_endpoint(ec).port();
  if (ec) return ListenError(options_, ec);
  return Status();
}

Status Server::Impl::StartThreads() {
  try {
    for (const auto& loop : loops_) loop->Start();
  } catch (const std::system_error& e) {
    return Error{ErrorCode::kIo, std::string("cannot start a thread: ") + e.what()};
  }
  asio::post(accept_context(), [this] { Accept(); });
  return Status();
}

void Server::Impl::Accept() {
  if (draining_) return;
  if (open_ >= options_.limits.max_connections) {
    paused_ = true;
    // A connection may have closed in between without seeing paused_.
    if (open_ >= options_.limits.max_connections || !paused_.exchange(false)) return;
  }
  http::Loop& loop = *loops_[next_loop_++ % loops_.size()];
  acceptor_->async_accept(loop.context(), [this, &loop](const error_code& ec, http::Socket socket) {
    OnAccepted(loop, ec, std::move(socket));
  });
}

void Server::Impl::OnAccepted(http::Loop& loop, const error_code& ec, http::Socket socket) {
  if (draining_ || ec == asio::error::operation_aborted) return;
  if (ec && ec != asio::error::connection_aborted) return AcceptLater();
  if (!ec) {
    ++accepted_;
    if (auto place = networks_->Enter(http::PeerAddress(socket))) {
      ++open_;
      loop.Adopt(std::move(socket), std::move(*place));
    } else {
      ++connections_refused_;  // and closed: the socket goes out of scope
    }
  }
  Accept();
}

void Server::Impl::AcceptLater() {
  ++accept_failures_;
  retry_timer_->expires_after(kAcceptRetry);
  retry_timer_->async_wait([this](const error_code& ec) {
    if (!ec) Accept();
  });
}

void Server::Impl::OnClosed() {
  const int64_t left = --open_;
  if (paused_.exchange(false)) asio::post(accept_context(), [this] { Accept(); });
  if (left == 0 && draining_) {
    std::lock_guard lock(mutex_);
    all_closed_.notify_all();
  }
}

bool Server::Impl::Drain(int64_t deadline_ms) {
  if (std::exchange(stopped_, true)) return true;
  draining_ = true;
  bool complete = true;
  if (acceptor_ && deadline_ms > 0) {
    asio::post(accept_context(), [this] {
      error_code ignored;
      acceptor_->close(ignored);
      // After the last socket has been adopted, so that each loop sees all of its connections.
      for (const auto& loop : loops_) loop->BeginDrain();
    });
    complete = WaitUntilAllClosed(deadline_ms);
  }
  for (const auto& loop : loops_) loop->Stop();
  if (open_ != 0) complete = false;
  acceptor_.reset();
  retry_timer_.reset();
  return complete;
}

bool Server::Impl::WaitUntilAllClosed(int64_t deadline_ms) {
  std::unique_lock lock(mutex_);
  return all_closed_.wait_for(lock, std::chrono::milliseconds(deadline_ms), [this] { return open_ == 0; });
}

ServerStats Server::Impl::stats() const {
  ServerStats sum;
  sum.connections_open = open_;
  sum.connections_accepted = accepted_;
  sum.connections_refused = connections_refused_;
  sum.accept_failures = accept_failures_;
  for (const auto& loop : loops_) {
    const http::Counters& counters = std::as_const(*loop).counters();
    sum.requests += counters.requests;
    sum.refused += counters.refused;
    sum.timed_out += counters.timed_out;
    sum.streams_cut += counters.streams_cut;
    sum.handler_failures += counters.handler_failures;
  }
  return sum;
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::Start(ServerOptions options, Handler handler) {
  auto impl = std::make_unique<Impl>(std::move(options), std::move(handler));
  Status status = impl->Listen();
  if (status.ok()) status = impl->StartThreads();
  if (!status.ok()) return status.error();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

uint16_t Server::port() const { return impl_->port(); }
ServerStats Server::stats() const { return impl_->stats(); }
bool Server::Drain(int64_t deadline_ms) { return impl_->Drain(deadline_ms); }

}  // namespace attune

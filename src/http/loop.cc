#include "http/loop.h"

#include <algorithm>
#include <random>
#include <utility>

#include "http/response_head.h"

namespace attune::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// A quarter of the shortest deadline, clamped.
std::chrono::milliseconds SweepPeriod(const HttpLimits& limits) {
  const int64_t shortest_ms = std::min(
      {limits.head_deadline_ms, limits.body_grace_ms, limits.idle_ms, limits.write_stall_ms, limits.linger_ms});
  return std::chrono::milliseconds(std::clamp<int64_t>(shortest_ms / 4, 5, 1000));
}

}  // namespace

Loop::Loop(const HttpLimits& limits, const Handler& handler, const RouteName& route_of, std::function<void()> on_closed)
    : limits_(limits),
      handler_(handler),
      route_of_(route_of),
      on_closed_(std::move(on_closed)),
      id_prefix_(std::random_device()()),
      work_(asio::make_work_guard(context_)),
      sweep_timer_(context_.get_executor()) {
  mailbox_ = std::make_shared<Mailbox>([this] { asio::post(context_, [this] { DeliverAll(); }); });
}

Loop::~Loop() { Stop(); }

void Loop::Start() {
  thread_ = std::thread([this] {
    mailbox_->SetOwner();
    Sweep();
    context_.run();
  });
}

void Loop::Stop() {
  mailbox_->Close();
  context_.stop();
  if (thread_.joinable()) thread_.join();
  connections_.clear();
}

void Loop::Adopt(Socket socket, NetworkCap::Place place) {
  asio::post(context_, [this, socket = std::move(socket), place = std::move(place)]() mutable {
    const uint64_t id = ++last_connection_;
    auto connection = std::make_unique<Connection>(*this, id, std::move(socket), std::move(place));
    Connection* const started = connection.get();
    connections_.emplace(id, std::move(connection));
    started->Start();
  });
}

void Loop::BeginDrain() {
  asio::post(context_, [this] {
    draining_ = true;
    for (const auto& [id, connection] : connections_) connection->BeginDrain();
  });
}

int64_t Loop::NowMs() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

const std::string& Loop::Date() {
  const std::time_t now = std::time(nullptr);
  if (now != date_second_) {
    date_second_ = now;
    date_ = FormatHttpDate(now);
  }
  return date_;
}

std::string Loop::NextRequestId() {
  static constexpr char kDigits[] = "0123456789abcdef";
  const uint64_t number = uint64_t{id_prefix_} << 32 | ++last_request_;
  std::string id(16, '0');
  for (int i = 0; i < 16; ++i) id[static_cast<size_t>(i)] = kDigits[number >> (60 - 4 * i) & 0xf];
  return id;
}

std::optional<Delivery> Loop::CallHandler(uint64_t connection, Request request, bool chunked) {
  ++counters_.requests;
  mailbox_->BeginHandling(connection);
  try {
    handler_(std::move(request), Reply(mailbox_, connection, chunked, limits_.stream_buffer_bytes));
  } catch (...) {  // the destroyed reply has answered 500
    ++counters_.handler_failures;
  }
  return mailbox_->EndHandling();
}

// Deferred, because the connection may be on the stack.
void Loop::Retire(uint64_t connection) {
  asio::post(context_, [this, connection] {
    connections_.erase(connection);
    on_closed_();
  });
}

void Loop::Sweep() {
  const int64_t now_ms = NowMs();
  for (const auto& [id, connection] : connections_) connection->Sweep(now_ms);
  sweep_timer_.expires_after(SweepPeriod(limits_));
  sweep_timer_.async_wait([this](const error_code& ec) {
    if (!ec) Sweep();
  });
}

void Loop::DeliverAll() {
  for (Delivery& delivery : mailbox_->Take()) {
    const auto found = connections_.find(delivery.connection);
    if (found != connections_.end()) {
      found->second->Receive(std::move(delivery));
    } else if (delivery.stream) {
      delivery.stream->gone = true;
    }
  }
}

}  // namespace attune::http

#include "http/connection.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

#include "base/journal.h"
#include "base/network.h"
#include "http/loop.h"
#include "http/problem.h"
#include "http/response_head.h"

namespace attune::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// The memory of an idle connection: 10,000 of them use 40 MB. Most requests fit.
constexpr size_t kSmallBuffer = 4 * 1024;
// While receiving a body: fewer system calls.
constexpr size_t kBodyBuffer = 32 * 1024;
// Memory of a large answer beyond this is freed afterwards.
constexpr size_t kKeptOutput = 4 * 1024;
constexpr size_t kCompactAbove = 64 * 1024;
// Limit of journal lines that give the reason of a 5xx answer, so that an overloaded server does not write more.
constexpr int64_t kMostFailuresASecond = 5;

}  // namespace

std::string PeerAddress(const Socket& socket) {
  error_code ec;
  const auto endpoint = socket.remote_endpoint(ec);
  if (ec) return "";
  const auto address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

Connection::Connection(Loop& loop, uint64_t id, Socket socket, NetworkCap::Place place)
    : loop_(loop),
      limits_(loop.limits()),
      id_(id),
      socket_(std::move(socket)),
      place_(std::move(place)),
      peer_(PeerAddress(socket_)),
      parser_(limits_),
      since_ms_(loop.NowMs()) {}

Connection::~Connection() {
  if (stream_) stream_->gone = true;
}

void Connection::Start() {
  error_code ec;
  socket_.non_blocking(true, ec);
  if (!ec) socket_.set_option(asio::ip::tcp::no_delay(true), ec);
  if (ec) return Close();
  if (loop_.draining() && !HasUnreadBytes()) return Close();
  Run();
}

// Runs until it must wait for more bytes, for the handler, or for room to write.
void Connection::Run() {
  while (state_ == State::kReceiving) {
    auto progress = RequestParser::Progress::kNeedMore;
    if (begin_ < end_) {
      size_t used = 0;
      try {
        progress = parser_.Feed({buffer_.get() + begin_, end_ - begin_}, &used);
      } catch (const std::bad_alloc&) {  // no memory for this body: close the connection rather than end the process
        return Close();
      }
      begin_ += used;
    }
    switch (progress) {
      case RequestParser::Progress::kDone: Dispatch(); break;
      case RequestParser::Progress::kFailed: Refuse(parser_.failure()); break;
      case RequestParser::Progress::kNeedMore:
        NotePhase();
        if (parser_.TakeExpectation() && parser_.body_bytes_received() == 0) SendContinue();
        return Read();
    }
  }
}

void Connection::NotePhase() {
  const Phase phase = parser_.in_body() ? Phase::kBody : parser_.started() ? Phase::kHead : Phase::kIdle;
  if (phase == phase_) return;
  phase_ = phase;
  since_ms_ = loop_.NowMs();
}

void Connection::Dispatch() {
  Request request = parser_.TakeRequest();
  request.set_peer(peer_);
  keep_alive_ = parser_.keep_alive();
  http11_ = parser_.http11();
  head_only_ = request.is_head();
  request_id_ = loop_.NextRequestId();
  if (loop_.route_of()) {
    method_ = head_only_ ? "HEAD" : request.method();
    route_ = loop_.route_of()(request);
    asked_ = std::chrono::steady_clock::now();
  }
  state_ = State::kHandling;
  if (auto delivery = loop_.CallHandler(id_, std::move(request), http11_)) {
    Deliver(std::move(*delivery));
  }
}

void Connection::Receive(Delivery delivery) {
  Deliver(std::move(delivery));
  Run();
}

void Connection::Deliver(Delivery delivery) {
  const bool mine = delivery.stream && delivery.stream == stream_;
  switch (delivery.kind) {
    case Delivery::Kind::kAnswer:
      if (state_ == State::kHandling) Answer(std::move(delivery.response));
      break;
    case Delivery::Kind::kStreamHead:
      if (state_ == State::kHandling) {
        BeginStream(std::move(delivery));
      } else {
        delivery.stream->gone = true;
      }
      break;
    case Delivery::Kind::kStreamBytes:
      if (mine) AppendToStream(delivery);
      break;
    case Delivery::Kind::kStreamEnd:
      if (mine) EndStream();
      break;
    case Delivery::Kind::kStreamCut:
      if (!mine) break;
      ++loop_.counters().streams_cut;
      Close();
      break;
  }
}

void Connection::NoteAnswer(Response* response, bool streamed) {
  Journal& journal = Journal::OfProcess();
  if (response->status >= 500) {
    // The reason is for the operator, in the journal; the client gets the request id that finds it there.
    if (response->body.ends_with('}') && response->content_type.starts_with("application/problem+json")) {
      response->body.insert(response->body.size() - 1, ",\"request_id\":\"" + request_id_ + '"');
    }
    static JournalThrottle throttle(kMostFailuresASecond);
    int64_t held_back = 0;
    const bool trouble = response->status == 500 || !response->trouble.empty();
    if (trouble && journal.format() != JournalFormat::kOff && throttle.Allows(WallClock(), &held_back)) {
      journal.Warn("request_failed", response->trouble.empty() ? StatusPhrase(response->status) : std::string_view(response->trouble),
                   {{"status", int64_t{response->status}}, {"request_id", std::string_view(request_id_)}, {"not_told", held_back}});
    }
  }
  if (!loop_.route_of()) return;
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - asked_;
  const std::string network = NetworkOf(peer_);
  journal.Info("request", "",
               {{"request_id", std::string_view(request_id_)},
                {"method", std::string_view(method_)},
                {"route", route_},
                {"status", int64_t{response->status}},
                {"bytes", streamed ? int64_t{-1} : static_cast<int64_t>(response->body.size())},
                {"ms", took.count()},
                {"network", std::string_view(network)}});
}

void Connection::Answer(Response response) {
  if (loop_.draining()) keep_alive_ = false;
  NoteAnswer(&response, false);
  AppendResponseHead(response, {.keep_alive = keep_alive_, .http11 = http11_, .date = loop_.Date(), .request_id = request_id_}, &out_);
  if (!head_only_ && StatusAllowsBody(response.status)) body_ = std::move(response.body);
  state_ = State::kWriting;
  since_ms_ = loop_.NowMs();
  Flush();
}

// The framing is lost or the client is too slow: this is the last answer.
void Connection::Refuse(Response problem) {
  ++loop_.counters().refused;
  keep_alive_ = false;
  http11_ = true;
  head_only_ = false;
  request_id_ = loop_.NextRequestId();
  method_ = "-";
  route_ = {};
  asked_ = std::chrono::steady_clock::now();
  Answer(std::move(problem));
}

void Connection::SendContinue() {
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  error_code ec = asio::error::interrupted;
  size_t n = 0;
  // Nothing else is in flight to the client, so this fits in the socket's buffer unless the client misbehaves.
  while (ec == asio::error::interrupted) n = socket_.write_some(asio::buffer(kContinue.data(), kContinue.size()), ec);
  if (ec || n != kContinue.size()) Close();
}

void Connection::BeginStream(Delivery delivery) {
  if (!http11_ || loop_.draining()) keep_alive_ = false;
  NoteAnswer(&delivery.response, true);
  AppendResponseHead(
      delivery.response,
      {.keep_alive = keep_alive_, .http11 = http11_, .streamed = true, .date = loop_.Date(), .request_id = request_id_}, &out_);
  since_ms_ = loop_.NowMs();
  if (head_only_ || !StatusAllowsBody(delivery.response.status)) {
    delivery.stream->gone = true;
    state_ = State::kWriting;
    return Flush();
  }
  stream_ = std::move(delivery.stream);
  stream_->waiting_bytes += out_.size();
  state_ = State::kStreaming;
  if (loop_.draining()) return EndStream();
  Flush();
  if (state_ == State::kStreaming) Read();  // so that the client's close is noticed
}

void Connection::AppendToStream(const Delivery& delivery) {
  if (stream_ended_) return;
  if (sent_ > kCompactAbove && sent_ > out_.size() / 2) {
    out_.erase(0, sent_);
    sent_ = 0;
  }
  if (sent_ == out_.size()) since_ms_ = loop_.NowMs();
  out_.append(delivery.bytes);
  Flush();
}

void Connection::EndStream() {
  if (stream_ended_) return;
  constexpr std::string_view kLastChunk = "0\r\n\r\n";
  stream_ended_ = true;
  stream_->gone = true;
  if (http11_) {
    out_.append(kLastChunk);
    stream_->waiting_bytes += kLastChunk.size();
  }
  Flush();
}

void Connection::Read() {
  if (reading_ || state_ == State::kClosed) return;
  if (peer_ended_) return Close();
  if (!MakeRoom()) return;
  reading_ = true;
  ++operations_;
  socket_.async_read_some(asio::buffer(buffer_.get() + end_, capacity_ - end_),
                          [this](const error_code& ec, size_t n) { OnRead(ec, n); });
}

// False: the buffer is at its limit and full of bytes not yet consumed, or there is no memory for it and the connection
// is closed.
bool Connection::MakeRoom() {
  const size_t wanted = parser_.in_body() ? kBodyBuffer : kSmallBuffer;
  const size_t kept = end_ - begin_;
  size_t capacity = kept == 0 ? wanted : std::max(wanted, capacity_);
  if (kept == capacity) {
    if (state_ != State::kReceiving) return false;
    capacity *= 2;  // bounded, because the parser refuses unbounded input
  }
  if (capacity != capacity_) {
    std::unique_ptr<char[]> larger(new (std::nothrow) char[capacity]);
    if (!larger) {
      Close();
      return false;
    }
    if (kept != 0) std::memcpy(larger.get(), buffer_.get() + begin_, kept);
    buffer_ = std::move(larger);
    capacity_ = capacity;
  } else if (kept != 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, kept);
  }
  begin_ = 0;
  end_ = kept;
  return true;
}

void Connection::OnRead(const error_code& error, size_t size) {
  reading_ = false;
  if (!OperationEnded()) return;
  if (error) {
    const bool answering = state_ == State::kHandling || state_ == State::kWriting;
    if (!answering) return Close();
    peer_ended_ = true;  // the client may still read: a half-closed connection gets its answer
    return;
  }
  end_ += size;
  if (state_ == State::kReceiving) return Run();
  if (state_ == State::kLingering) return OnLingerBytes();
  if (state_ == State::kStreaming) return Read();
}

void Connection::OnLingerBytes() {
  lingered_bytes_ += end_ - begin_;
  begin_ = end_ = 0;
  if (lingered_bytes_ > limits_.linger_bytes) return Close();
  Read();
}

// Writes immediately: the kernel nearly always has room, which saves an iteration of the loop.
void Connection::Flush() {
  if (waiting_writable_) return;
  while (sent_ < out_.size() + body_.size()) {
    error_code ec;
    const size_t n = WriteSome(&ec);
    if (ec == asio::error::interrupted) continue;
    if (ec == asio::error::would_block || ec == asio::error::try_again) return WaitWritable();
    if (ec) return Close();
    sent_ += n;
    since_ms_ = loop_.NowMs();
    if (stream_) stream_->waiting_bytes -= n;
  }
  OnFlushed();
}

size_t Connection::WriteSome(error_code* error) {
  const size_t from_out = std::min(sent_, out_.size());
  const size_t from_body = sent_ - from_out;
  const std::array<asio::const_buffer, 2> pieces = {
      asio::const_buffer(out_.data() + from_out, out_.size() - from_out),
      asio::const_buffer(body_.data() + from_body, body_.size() - from_body)};
  return body_.empty() ? socket_.write_some(asio::const_buffer(pieces[0]), *error) : socket_.write_some(pieces, *error);
}

void Connection::WaitWritable() {
  waiting_writable_ = true;
  ++operations_;
  socket_.async_wait(Socket::wait_write, [this](const error_code&) {
    waiting_writable_ = false;
    if (!OperationEnded()) return;
    Flush();
    Run();
  });
}

void Connection::OnFlushed() {
  if (state_ == State::kStreaming && !stream_ended_) {
    out_.clear();
    sent_ = 0;
    return;
  }
  FinishAnswer();
}

void Connection::FinishAnswer() {
  stream_.reset();
  stream_ended_ = false;
  sent_ = 0;
  out_.clear();
  if (out_.capacity() > kKeptOutput) out_.shrink_to_fit();
  body_ = std::string();
  const bool drained = loop_.draining() && begin_ == end_ && !HasUnreadBytes();
  if (!keep_alive_ || drained) return BeginLinger();
  state_ = State::kReceiving;
  phase_ = Phase::kIdle;
  since_ms_ = loop_.NowMs();
}

void Connection::Sweep(int64_t now_ms) {
  if (!TooSlow(now_ms)) return;
  const bool can_be_told = state_ == State::kReceiving && phase_ != Phase::kIdle;
  if (state_ != State::kLingering) ++loop_.counters().timed_out;
  if (state_ == State::kStreaming) {
    ++loop_.counters().streams_cut;
    stream_->cut = true;
  }
  if (!can_be_told) return Close();
  Refuse(Problem(Code::kRequestTimeout, ""));
}

bool Connection::TooSlow(int64_t now_ms) const {
  const int64_t elapsed_ms = now_ms - since_ms_;
  switch (state_) {
    case State::kReceiving:
      if (phase_ == Phase::kIdle) return elapsed_ms > limits_.idle_ms;
      if (phase_ == Phase::kHead) return elapsed_ms > limits_.head_deadline_ms;
      return BodyTooSlow(elapsed_ms);
    case State::kWriting:
    case State::kStreaming: return waiting_writable_ && elapsed_ms > limits_.write_stall_ms;
    case State::kLingering: return elapsed_ms > limits_.linger_ms;
    case State::kHandling:
    case State::kClosed: return false;
  }
  return false;
}

bool Connection::BodyTooSlow(int64_t elapsed_ms) const {
  const int64_t counted_ms = elapsed_ms - limits_.body_grace_ms;
  if (counted_ms <= 0) return false;
  const auto received = static_cast<double>(parser_.body_bytes_received());
  return received * 1000 < static_cast<double>(limits_.body_bytes_per_second) * static_cast<double>(counted_ms);
}

void Connection::BeginDrain() {
  if (state_ == State::kStreaming) {
    keep_alive_ = false;
    EndStream();
  } else if (state_ == State::kReceiving && phase_ == Phase::kIdle && begin_ == end_ && !HasUnreadBytes()) {
    Close();
  }
}

bool Connection::HasUnreadBytes() {
  error_code ec;
  return socket_.available(ec) > 0 && !ec;
}

// Closing while bytes from the client are unread or in flight would send a reset, which can destroy the answer before
// the client has read it.
void Connection::BeginLinger() {
  error_code ec;
  socket_.shutdown(Socket::shutdown_send, ec);
  if (ec || peer_ended_) return Close();
  state_ = State::kLingering;
  since_ms_ = loop_.NowMs();
  lingered_bytes_ = end_ - begin_;
  if (!reading_) begin_ = end_ = 0;
  Read();
}

void Connection::Close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  if (stream_) stream_->gone = true;
  stream_.reset();
  error_code ignored;
  socket_.close(ignored);
  if (operations_ == 0) loop_.Retire(id_);
}

bool Connection::OperationEnded() {
  --operations_;
  if (state_ != State::kClosed) return true;
  if (operations_ == 0) loop_.Retire(id_);
  return false;
}

}  // namespace attune::http

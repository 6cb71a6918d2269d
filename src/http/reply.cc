// Reply, StreamWriter, and the mailbox that they post to.
#include <charconv>
#include <utility>

#include "base/check.h"
#include "http/mailbox.h"
#include "http/problem.h"
#include "http/server.h"

namespace attune {
namespace http {

void Mailbox::Post(Delivery delivery) {
  if (TakeAtOnce(&delivery)) return;
  std::lock_guard lock(mutex_);
  if (closed_) {
    if (delivery.stream) delivery.stream->gone = true;
    return;
  }
  waiting_.push_back(std::move(delivery));
  if (waiting_.size() == 1) wake_();
}

bool Mailbox::TakeAtOnce(Delivery* delivery) {
  if (std::this_thread::get_id() != owner_ || handling_ != delivery->connection) return false;
  if (delivery->kind != Delivery::Kind::kAnswer && delivery->kind != Delivery::Kind::kStreamHead) {
    return false;
  }
  at_once_ = std::move(*delivery);
  return true;
}

std::optional<Delivery> Mailbox::EndHandling() {
  handling_ = 0;
  return std::exchange(at_once_, std::nullopt);
}

std::vector<Delivery> Mailbox::Take() {
  std::lock_guard lock(mutex_);
  return std::exchange(waiting_, {});
}

void Mailbox::Close() {
  std::vector<Delivery> dropped;  // destroyed after the lock is released
  std::lock_guard lock(mutex_);
  closed_ = true;
  dropped.swap(waiting_);
  for (const Delivery& delivery : dropped) {
    if (delivery.stream) delivery.stream->gone = true;
  }
}

}  // namespace http

using http::Delivery;
using http::StreamState;

Reply::Reply(std::shared_ptr<http::Mailbox> mailbox, uint64_t connection, bool chunked, size_t stream_buffer_bytes)
    : mailbox_(std::move(mailbox)),
      connection_(connection),
      chunked_(chunked),
      stream_buffer_bytes_(stream_buffer_bytes) {}

Reply::~Reply() {
  if (mailbox_) Send(Problem(Code::kInternalError, ""));
}

void Reply::Send(Response response) {
  ATTUNE_CHECK(mailbox_, "a request is answered once");
  const auto mailbox = std::exchange(mailbox_, nullptr);
  mailbox->Post({.kind = Delivery::Kind::kAnswer, .connection = connection_, .response = std::move(response)});
}

StreamWriter Reply::Stream(Response head) {
  ATTUNE_CHECK(mailbox_, "a request is answered once");
  auto mailbox = std::exchange(mailbox_, nullptr);
  auto state = std::make_shared<StreamState>(stream_buffer_bytes_);
  const std::string first = std::exchange(head.body, {});
  mailbox->Post(
      {.kind = Delivery::Kind::kStreamHead, .connection = connection_, .response = std::move(head), .stream = state});
  StreamWriter writer(std::move(mailbox), connection_, chunked_, std::move(state));
  writer.Write(first);
  return writer;
}

StreamWriter::StreamWriter(std::shared_ptr<http::Mailbox> mailbox, uint64_t connection, bool chunked,
                           std::shared_ptr<StreamState> state)
    : mailbox_(std::move(mailbox)), connection_(connection), chunked_(chunked), state_(std::move(state)) {}

StreamWriter& StreamWriter::operator=(StreamWriter&& other) noexcept {
  if (this == &other) return *this;
  Close();
  mailbox_ = std::move(other.mailbox_);
  connection_ = other.connection_;
  chunked_ = other.chunked_;
  state_ = std::move(other.state_);
  return *this;
}

namespace {

// The chunk as sent over the wire.
std::string Frame(std::string_view chunk, bool chunked) {
  if (!chunked) return std::string(chunk);
  char size[16];
  const auto end = std::to_chars(size, size + sizeof(size), chunk.size(), 16).ptr;
  std::string out;
  out.reserve(chunk.size() + 20);
  out.append(size, end).append("\r\n").append(chunk).append("\r\n");
  return out;
}

}  // namespace

bool StreamWriter::open() const { return mailbox_ && !state_->gone; }
size_t StreamWriter::waiting_bytes() const { return mailbox_ ? state_->waiting_bytes.load() : 0; }
bool StreamWriter::cut() const { return state_ && state_->cut; }

bool StreamWriter::Write(std::string_view chunk) {
  if (!open()) return false;
  if (chunk.empty()) return true;
  std::string bytes = Frame(chunk, chunked_);
  const size_t waiting = state_->waiting_bytes.fetch_add(bytes.size()) + bytes.size();
  if (waiting > state_->limit_bytes) {
    state_->cut = true;
    state_->gone = true;
    mailbox_->Post({.kind = Delivery::Kind::kStreamCut, .connection = connection_, .stream = state_});
    return false;
  }
  mailbox_->Post(
      {.kind = Delivery::Kind::kStreamBytes, .connection = connection_, .bytes = std::move(bytes), .stream = state_});
  return true;
}

void StreamWriter::Close() {
  if (!mailbox_) return;
  const auto mailbox = std::exchange(mailbox_, nullptr);
  mailbox->Post({.kind = Delivery::Kind::kStreamEnd, .connection = connection_, .stream = state_});
}

}  // namespace attune

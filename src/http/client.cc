#include "http/client.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "http/message.h"

namespace attune {
namespace {

Error IoError(std::string_view what) { return {ErrorCode::kIo, std::string(what) + ": " + std::strerror(errno)}; }

// Fills in the address and returns its size, or 0 if `host` is not an address.
socklen_t MakeAddress(const std::string& host, uint16_t port, sockaddr_storage* out) {
  *out = {};
  auto* v4 = reinterpret_cast<sockaddr_in*>(out);
  if (inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    return sizeof(*v4);
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(out);
  if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    return sizeof(*v6);
  }
  return 0;
}

// The addresses of a host; empty when it has none.
std::vector<std::pair<sockaddr_storage, socklen_t>> AddressesOf(const std::string& host, uint16_t port) {
  std::vector<std::pair<sockaddr_storage, socklen_t>> addresses(1);
  addresses[0].second = MakeAddress(host, port, &addresses[0].first);
  if (addresses[0].second > 0) return addresses;
  addresses.clear();
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return addresses;
  for (const addrinfo* one = found; one; one = one->ai_next) {
    auto& address = addresses.emplace_back();
    std::memcpy(&address.first, one->ai_addr, one->ai_addrlen);
    address.second = one->ai_addrlen;
  }
  ::freeaddrinfo(found);
  return addresses;
}

std::string_view TrimBlanks(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

Result<uint64_t> ParseNumber(std::string_view text, int base) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Error{ErrorCode::kCorrupt, "not a number: " + std::string(text)};
  }
  return number;
}

}  // namespace

std::optional<std::string_view> ClientResponse::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (EqualIgnoringCase(key, name)) return value;
  }
  return std::nullopt;
}

Result<Client> Client::Connect(const std::string& host, uint16_t port, int timeout_ms) {
  const std::string name = (host.find(':') == host.npos ? host : "[" + host + "]") + ":" + std::to_string(port);
  Error failure{ErrorCode::kInvalid, "not a known host: " + host};
  for (const auto& [address, size] : AddressesOf(host, port)) {
    Client client(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), timeout_ms);
    if (client.fd_ < 0) return IoError("socket");
    const int on = 1;
    ::setsockopt(client.fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    timeval timeout{timeout_ms / 1000, (timeout_ms % 1000) * 1000};
    ::setsockopt(client.fd_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    if (::connect(client.fd_, reinterpret_cast<const sockaddr*>(&address), size) == 0) {
      client.host_ = name;
      return client;
    }
    failure = IoError("connect to " + name);
  }
  return failure;
}

Client::Client(Client&& other) noexcept { *this = std::move(other); }

Client& Client::operator=(Client&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(timeout_ms_, other.timeout_ms_);
  std::swap(host_, other.host_);
  std::swap(pending_, other.pending_);
  return *this;
}

Client::~Client() { Close(); }

void Client::Close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Client::ShutdownSend() { ::shutdown(fd_, SHUT_WR); }

Result<ClientResponse> Client::Call(std::string_view method, std::string_view target, const ClientHeaders& headers,
                                    std::string_view body) {
  const Status sent = SendRequest(method, target, headers, body);
  if (!sent.ok()) return sent.error();
  auto response = ReadResponse(method == "HEAD");
  if (response.ok() && response->Header("Connection") == "close") Close();
  return response;
}

Result<ClientResponse> Client::CallForHead(std::string_view method, std::string_view target,
                                           const ClientHeaders& headers, std::string_view body) {
  const Status sent = SendRequest(method, target, headers, body);
  if (!sent.ok()) return sent.error();
  return ReadHead();
}

Status Client::SendRequest(std::string_view method, std::string_view target, const ClientHeaders& headers,
                           std::string_view body) {
  std::string request;
  request.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: ").append(host_);
  for (const auto& [name, value] : headers) {
    request.append("\r\n").append(name).append(": ").append(value);
  }
  if (!body.empty() || method == "POST" || method == "PUT") {
    request.append("\r\nContent-Length: ").append(std::to_string(body.size()));
  }
  request.append("\r\n\r\n").append(body);
  return SendRaw(request);
}

Status Client::SendRaw(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return IoError("send");
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return Status();
}

Result<bool> Client::Fill() {
  pollfd ready{fd_, POLLIN, 0};
  const int polled = ::poll(&ready, 1, timeout_ms_);
  if (polled < 0 && errno == EINTR) return true;
  if (polled < 0) return IoError("poll");
  if (polled == 0) return Error{ErrorCode::kIo, "the server did not answer in time"};
  char bytes[16 * 1024];
  const ssize_t n = ::recv(fd_, bytes, sizeof(bytes), 0);
  if (n < 0 && errno == EINTR) return true;
  if (n < 0) return IoError("receive");
  pending_.append(bytes, static_cast<size_t>(n));
  return n > 0;
}

Result<std::string> Client::TakeUntil(std::string_view delimiter) {
  size_t at;
  while ((at = pending_.find(delimiter)) == pending_.npos) {
    const auto more = Fill();
    if (!more.ok()) return more.error();
    if (!*more) return Error{ErrorCode::kIo, "the server has closed the connection"};
  }
  std::string taken = pending_.substr(0, at);
  pending_.erase(0, at + delimiter.size());
  return taken;
}

Result<std::string> Client::TakeBytes(size_t count) {
  while (pending_.size() < count) {
    const auto more = Fill();
    if (!more.ok()) return more.error();
    if (!*more) return Error{ErrorCode::kIo, "the server has closed within a body"};
  }
  std::string taken = pending_.substr(0, count);
  pending_.erase(0, count);
  return taken;
}

Result<ClientResponse> Client::ReadHead() {
  const auto text = TakeUntil("\r\n\r\n");
  if (!text.ok()) return text.error();
  std::string_view rest = *text;
  ClientResponse response;
  for (bool first = true; !rest.empty(); first = false) {
    const size_t end = std::min(rest.find("\r\n"), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 2, rest.size()));
    if (first) {
      const auto status = ParseNumber(line.substr(std::min<size_t>(9, line.size()), 3), 10);
      if (!status.ok() || !line.starts_with("HTTP/1.")) {
        return Error{ErrorCode::kCorrupt, "not a status line: " + std::string(line)};
      }
      response.status = static_cast<int>(*status);
      continue;
    }
    const size_t colon = std::min(line.find(':'), line.size());
    response.headers.emplace_back(line.substr(0, colon), TrimBlanks(line.substr(std::min(colon + 1, line.size()))));
  }
  return response;
}

Result<ClientResponse> Client::ReadResponse(bool head) {
  auto response = ReadHead();
  if (!response.ok()) return response;
  const int status = response->status;
  if (head || status < 200 || status == 204 || status == 304) return response;
  const Status read = ReadBody(&*response);
  if (!read.ok()) return read.error();
  return response;
}

Status Client::ReadBody(ClientResponse* response) {
  if (const auto length = response->Header("Content-Length")) {
    const auto size = ParseNumber(*length, 10);
    if (!size.ok()) return size.error();
    auto body = TakeBytes(*size);
    if (!body.ok()) return body.error();
    response->body = std::move(*body);
    return Status();
  }
  const bool chunked = response->Header("Transfer-Encoding") == "chunked";
  for (;;) {
    const auto piece = chunked ? ReadChunk() : ReadSome();
    if (!piece.ok()) return piece.error();
    if (piece->empty()) return Status();
    response->body += *piece;
  }
}

Result<std::string> Client::ReadChunk() {
  const auto line = TakeUntil("\r\n");
  if (!line.ok()) return line.error();
  const auto size = ParseNumber(*line, 16);
  if (!size.ok()) return size.error();
  auto chunk = TakeBytes(*size + 2);
  if (chunk.ok()) chunk->resize(*size);
  return chunk;
}

Result<std::string> Client::ReadSome() {
  if (pending_.empty()) {
    const auto more = Fill();
    if (!more.ok()) return more.error();
  }
  return std::exchange(pending_, {});
}

}  // namespace attune

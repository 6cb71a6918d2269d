#include "access/secrets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace attune {
namespace {

constexpr size_t kMaxHostBytes = 253;  // of a DNS name

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return lower;
}

}  // namespace

void Secrets::Add(std::string name, std::string value, std::vector<std::string> hosts) {
  secrets_.insert_or_assign(std::move(name), Secret{std::move(value), std::move(hosts)});
}

const std::string* Secrets::Find(std::string_view name) const {
  const auto found = secrets_.find(name);
  return found == secrets_.end() ? nullptr : &found->second.value;
}

bool Secrets::MayGoTo(std::string_view name, std::string_view host) const {
  const auto found = secrets_.find(name);
  if (found == secrets_.end()) return false;
  const std::vector<std::string>& hosts = found->second.hosts;
  return std::find(hosts.begin(), hosts.end(), LowerCase(host)) != hosts.end();
}

Result<std::string> CheckedHost(std::string_view host) {
  const auto wrong = [&](std::string_view why) {
    return Error{ErrorCode::kInvalid, fmt::format("expected a host such as ops.example, found \"{}\"{}", host, why)};
  };
  if (host.find('*') != std::string_view::npos) return wrong("; a wildcard is not allowed, list each host");
  if (host.find('/') != std::string_view::npos) return wrong("; give the host alone, without scheme and path");
  std::string lower = LowerCase(host);
  const bool address = lower.size() > 2 && lower.front() == '[' && lower.back() == ']';
  if (address) {
    if (lower.find_first_not_of("0123456789abcdef:.", 1) != lower.size() - 1) return wrong("");
    return lower;
  }
  if (lower.find(':') != std::string::npos) return wrong("; give the host without its port");
  const bool in_set = lower.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_") == std::string::npos;
  if (lower.empty() || lower.size() > kMaxHostBytes || !in_set || lower.front() == '.' || lower.back() == '.') {
    return wrong("");
  }
  return lower;
}

Result<std::string> ReadSecretFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text(kMaxSecretBytes + 1, '\0');
  if (!in) return Error{ErrorCode::kIo, fmt::format("cannot read the file {}: {}", path, std::strerror(errno))};
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || (in.fail() && !in.eof())) return Error{ErrorCode::kIo, fmt::format("cannot read the file {}", path)};
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > kMaxSecretBytes) {
    return Error{ErrorCode::kInvalid, fmt::format("the file {} is longer than {} bytes", path, kMaxSecretBytes)};
  }
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  if (text.empty()) return Error{ErrorCode::kInvalid, fmt::format("the file {} is empty", path)};
  return text;
}

}  // namespace attune

#include "cli/remote_server.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdlib>

#include "cli/command.h"
#include "event/json_string.h"
#include "event/json_text.h"

namespace attune {
namespace {

// A question over the whole history is answered when it has been read: there is nothing to wait for in between.
constexpr int kTimeoutMs = 6 * 3'600'000;

struct ServerUrl {
  std::string host;
  uint16_t port = 80;
  std::string prefix;
};

std::optional<ServerUrl> ParseServerUrl(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return std::nullopt;
  url.remove_prefix(kScheme.size());
  if (url.find_first_of("?#@ ") != std::string_view::npos) return std::nullopt;
  ServerUrl parsed;
  const std::string_view authority = url.substr(0, url.find('/'));
  parsed.prefix = url.substr(authority.size());
  while (parsed.prefix.ends_with('/')) parsed.prefix.pop_back();
  const size_t bracket = authority.starts_with('[') ? authority.find(']') : 0;
  if (bracket == std::string_view::npos) return std::nullopt;
  const size_t colon = authority.find(':', bracket);
  parsed.host = authority.substr(0, colon);
  if (bracket > 0) parsed.host = parsed.host.substr(1, parsed.host.size() - 2);
  if (parsed.host.empty()) return std::nullopt;
  if (colon == std::string_view::npos) return parsed;
  const std::string_view port = authority.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), parsed.port);
  if (error != std::errc() || end != port.data() + port.size() || parsed.port == 0) return std::nullopt;
  return parsed;
}

// Prints the mistakes of an expression as a plan's are printed. False: there are none.
bool PrintErrors(std::string_view errors) {
  JsonSlices slices(errors);
  bool any = false;
  while (slices.Next() && !slices.is_object()) {
    const std::string_view error = slices.value();
    fmt::print(stderr, "{}:{}:{}: {}\n", TextMemberOf(error, "in"), JsonMemberOf(error, "line"),
               JsonMemberOf(error, "column"), TextMemberOf(error, "message"));
    any = true;
  }
  return any;
}

// What to do about an answer with this status; empty: its detail is enough.
std::string AdviceOn(int status) {
  switch (status) {
    case 401:
      return "the server does not know the key in ATTUNE_API_KEY: use an API key of this server, which its first start "
             "printed, or the `api_key` that it was started with";
    case 403: return "the key in ATTUNE_API_KEY may not ask this: use an API key, not a write key";
    case 404: return "there is no such thing on this server";
    case 429: return "the server is busy with another question: try again later";
    default: return "";
  }
}

}  // namespace

std::string EncodeForUrl(std::string_view text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";
  std::string encoded;
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  // A piece of a path that is `.` or `..` would be removed as a step.
  if (encoded == "." || encoded == "..") return encoded == "." ? "%2E" : "%2E%2E";
  return encoded;
}

std::string_view JsonMemberOf(std::string_view json, std::string_view name) {
  JsonSlices slices(json);
  while (slices.Next()) {
    if (slices.is_object() && slices.key() == name) return slices.value();
  }
  return {};
}

std::string TextMemberOf(std::string_view json, std::string_view name) {
  return TextOfJsonString(JsonMemberOf(json, name)).value_or("");
}

void AddDataAndServer(CLI::App* app, std::string* data, std::string* server) {
  CLI::Option* folder = app->add_option("--data", *data, "the data folder of `attune serve`; it may be in use");
  app->add_option("--server", *server, "http://HOST:PORT of a running server, instead; its API key in ATTUNE_API_KEY")
      ->excludes(folder);
}

bool HasDataOrServer(const std::string& data, const std::string& server) {
  if (!data.empty() || !server.empty()) return true;
  Complain("expected --data DIR, the data folder, or --server URL, a running server", kExitInvalid);
  return false;
}

std::optional<RemoteServer> RemoteServer::Connect(const std::string& url, int* exit_code) {
  *exit_code = kExitInvalid;
  const auto parsed = ParseServerUrl(url);
  if (!parsed) {
    constexpr const char* kNoTls = "; this command has no TLS, so use the address behind the proxy that ends it";
    attune::Complain(fmt::format("--server: expected http://HOST:PORT, found \"{}\"{}", url,
                                 url.starts_with("https://") ? kNoTls : ""),
                     kExitInvalid);
    return std::nullopt;
  }
  const char* key = std::getenv("ATTUNE_API_KEY");
  if (!key || !*key) {
    attune::Complain("--server: set ATTUNE_API_KEY to an API key of the server", kExitInvalid);
    return std::nullopt;
  }
  auto client = Client::Connect(parsed->host, parsed->port, kTimeoutMs);
  if (!client.ok()) {
    *exit_code = kExitFailed;
    attune::Complain(fmt::format("{}: {}; is the server running there? Without it, use --data DIR on its machine", url,
                                 client.error().message),
                     kExitFailed);
    return std::nullopt;
  }
  return RemoteServer(url, parsed->prefix, key, std::move(client).value());
}

std::string RemoteServer::TargetOf(std::string_view path, const QueryPairs& pairs) const {
  std::string target = prefix_ + std::string(path);
  char separator = '?';
  for (const auto& [name, value] : pairs) {
    target += separator + name + '=' + EncodeForUrl(value);
    separator = '&';
  }
  return target;
}

ClientHeaders RemoteServer::Headers(std::string_view accept) const {
  return {{"Authorization", "Bearer " + key_}, {"Accept", std::string(accept)}};
}

Result<ClientResponse> RemoteServer::Get(std::string_view path, const QueryPairs& pairs, std::string_view accept) {
  auto answer = client_.Call("GET", TargetOf(path, pairs), Headers(accept));
  if (!answer.ok() || answer->status != 200) return answer;
  if (answer->Header("Content-Type").value_or("").starts_with(accept)) return answer;
  return Error{ErrorCode::kConflict, fmt::format("the answer is not {}: the server is older than this program, or no "
                                                 "attune server", accept)};
}

Result<ClientResponse> RemoteServer::Stream(std::string_view path, const QueryPairs& pairs,
                                            const std::function<bool(std::string_view)>& take) {
  auto head = client_.CallForHead("GET", TargetOf(path, pairs), Headers("*/*"));
  if (!head.ok() || head->status != 200) {
    if (head.ok()) {
      const Status read = client_.ReadBody(&*head);
      if (!read.ok()) return read.error();
    }
    return head;
  }
  for (;;) {
    const auto chunk = client_.ReadChunk();
    if (!chunk.ok()) return chunk.error();
    if (chunk->empty() || !take(*chunk)) return head;
  }
}

int RemoteServer::Complain(const Result<ClientResponse>& answer) const {
  if (!answer.ok()) {
    const bool broken = answer.error().code == ErrorCode::kIo;
    return attune::Complain(
        fmt::format("{}: {}{}", url_, answer.error().message, broken ? "; the answer is not whole, try again" : ""),
        kExitFailed);
  }
  const std::string detail = TextMemberOf(answer->body, "detail");
  const std::string code = TextMemberOf(answer->body, "code");
  if (code.empty()) {
    return attune::Complain(fmt::format("{} answered {} and is not an attune server that knows this request: check the "
                                        "URL, and that the server is not older than this program",
                                        url_, answer->status),
                            kExitFailed);
  }
  // The server found a mistake in what was asked.
  if (answer->status == 400 || answer->status == 422) {
    if (PrintErrors(JsonMemberOf(answer->body, "errors"))) return kExitInvalid;
    return attune::Complain(detail.empty() ? TextMemberOf(answer->body, "title") : detail, kExitInvalid);
  }
  const std::string advice = AdviceOn(answer->status);
  return attune::Complain(fmt::format("{} answered {} {}{}{}", url_, answer->status, code,
                                      detail.empty() ? "" : ": " + detail, advice.empty() ? "" : "; " + advice),
                          kExitFailed);
}

}  // namespace attune

// A running server that a command asks over its API: the option `--server URL`, with the API key of ATTUNE_API_KEY.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/client.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace attune {

// A query of a URL: names and values, which are encoded when they are sent.
using QueryPairs = std::vector<std::pair<std::string, std::string>>;

// Every function that fails prints what went wrong and what to do to stderr.
class RemoteServer {
 public:
  // `http://HOST[:PORT][/PATH]`, and the key from the environment. nullopt: the URL or the key is missing or wrong, or
  // the server cannot be reached; then `*exit_code` is set.
  static std::optional<RemoteServer> Connect(const std::string& url, int* exit_code);

  // Sends GET `path` with `pairs` as its query. `accept` is the media type of the answer. kConflict: the answer has
  // another one.
  Result<ClientResponse> Get(std::string_view path, const QueryPairs& pairs, std::string_view accept);
  // The same; passes the body of an answer 200 in pieces to `take`, which returns false to stop. Any other answer is
  // returned with its body. kIo: the connection ended before the answer was whole.
  Result<ClientResponse> Stream(std::string_view path, const QueryPairs& pairs,
                                const std::function<bool(std::string_view)>& take);

  // Prints why the request failed and what to do; returns the exit code.
  int Complain(const Result<ClientResponse>& answer) const;

 private:
  RemoteServer(std::string url, std::string prefix, std::string key, Client client)
      : url_(std::move(url)), prefix_(std::move(prefix)), key_(std::move(key)), client_(std::move(client)) {}

  std::string TargetOf(std::string_view path, const QueryPairs& pairs) const;
  ClientHeaders Headers(std::string_view accept) const;

  std::string url_;     // as given, for messages
  std::string prefix_;  // of every path; empty: none
  std::string key_;
  Client client_;
};

// A byte sequence as one piece of a URL's path, or as a value of its query.
std::string EncodeForUrl(std::string_view text);
// The JSON of an object's member; empty when it has none.
std::string_view JsonMemberOf(std::string_view json, std::string_view name);
// The text of a member that is a string; empty otherwise.
std::string TextMemberOf(std::string_view json, std::string_view name);

// Adds `--data` and `--server`, which exclude each other.
void AddDataAndServer(CLI::App* app, std::string* data, std::string* server);
// False, with a message: neither is given.
bool HasDataOrServer(const std::string& data, const std::string& server);

}  // namespace attune

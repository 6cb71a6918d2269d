// Finds the key that a client sent. A pure function of text, so it can be tested without a server.
#pragma once

#include <string>
#include <string_view>

namespace attune {

// The parts of a request that may hold a key; empty if missing.
struct KeySources {
  std::string_view authorization = {};  // the header's value
  std::string_view x_write_key = {};    // X-Write-Key
  std::string_view x_api_key = {};      // X-API-Key
  std::string_view body = {};           // `writeKey` of the body, as ParsedRequest gives it
  std::string_view query = {};          // the query as sent, without the question mark
};

// Returns the first one present, in this order: Authorization (`Basic`: the user, with or without a password;
// `Bearer`), X-Write-Key, X-API-Key, the body's, and in the query writeKey, api_secret or token. X-Write-Key may be
// `id:secret` (Jitsu), which as a whole is the key. Empty if there is none. An invalid header counts as missing.
std::string FindWriteKey(const KeySources& sources);

}  // namespace attune

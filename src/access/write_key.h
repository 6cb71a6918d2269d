// Where clients put the key that says who sends: a pure function over text, so that it can be tested without a server.
#pragma once

#include <string>
#include <string_view>

namespace attune {

// What of a request may hold a key; empty when it is not there.
struct KeySources {
  std::string_view authorization = {};  // the header's value
  std::string_view x_write_key = {};    // X-Write-Key
  std::string_view x_api_key = {};      // X-API-Key
  std::string_view body = {};           // `writeKey` of the body, as ParsedRequest gives it
  std::string_view query = {};          // the query as sent, without the question mark
};

// The first that is there: Authorization (`Basic`: the user, with or without a password; `Bearer`), X-Write-Key,
// X-API-Key, the body's, and in the query writeKey, api_secret or token. X-Write-Key may be `id:secret` (Jitsu): the
// whole of it is the key. Empty when there is none; a header that cannot be read counts as missing.
std::string FindWriteKey(const KeySources& sources);

}  // namespace attune

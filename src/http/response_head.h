// The bytes before a response's body. Internal to this module.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "http/message.h"

namespace attune::http {

struct HeadOptions {
  bool keep_alive = true;
  bool http11 = true;
  bool streamed = false;       // unknown length: chunked, or until the connection closes for HTTP/1.0
  std::string_view date = {};  // empty: no Date field
  std::string_view request_id = {};  // empty: no request id field
};

// Appends the status line and the fields, through the empty line. The body is counted, not
// appended.
void AppendResponseHead(const Response& response, const HeadOptions& options, std::string* out);

// 1xx, 204 and 304 have no body, whatever the response contains.
bool StatusAllowsBody(int status);

// `Sun, 06 Nov 1994 08:49:37 GMT`.
std::string FormatHttpDate(std::time_t time);

}  // namespace attune::http

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
  bool streamed = false;       // the length is not known: chunked, or until the end for HTTP/1.0
  std::string_view date = {};  // empty: no Date field
  std::string_view request_id = {};  // empty: none is said
};

// Appends status line and fields, through the empty line. A body is counted, not appended.
void AppendResponseHead(const Response& response, const HeadOptions& options, std::string* out);

// 1xx, 204 and 304 have none, whatever the response says.
bool StatusAllowsBody(int status);

// `Sun, 06 Nov 1994 08:49:37 GMT`.
std::string FormatHttpDate(std::time_t time);

}  // namespace attune::http

// The keys in a request's headers.
#pragma once

#include "access/write_key.h"
#include "http/message.h"

namespace attune {

// Views live as long as the request. The query and the body are not looked at.
inline KeySources HeaderKeys(const Request& request) {
  const auto header = [&](const char* name) { return request.Header(name).value_or(std::string_view()); };
  return {
      .authorization = header("Authorization"), .x_write_key = header("X-Write-Key"), .x_api_key = header("X-API-Key")};
}

}  // namespace attune

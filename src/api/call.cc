#include "api/call.h"

#include <fmt/format.h>

#include <charconv>

namespace attune {

std::optional<int64_t> Call::Number(std::string_view parameter, int64_t otherwise, int64_t least, int64_t most) {
  const auto text = request.QueryParameter(parameter);
  if (!text) return otherwise;
  int64_t number;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error == std::errc() && end == text->data() + text->size() && number >= least && number <= most) return number;
  reply.Send(Problem(Code::kInvalidParameter, fmt::format("{}: expected a whole number from {} to {}, found \"{}\"",
                                                          parameter, least, most, *text)));
  return std::nullopt;
}

// Loops take records and questions from one queue: what is durable now is applied before a question that is put now.
bool Call::CheckPosition(uint64_t durable) {
  const auto header = request.Header("Attune-Position");
  if (!header) return true;
  uint64_t position = 0;
  const auto [end, error] = std::from_chars(header->data(), header->data() + header->size(), position);
  if (error == std::errc() && end == header->data() + header->size() && position <= durable) return true;
  reply.Send(
      Problem(Code::kInvalidPosition, fmt::format("expected a number up to {}, found \"{}\"", durable, *header)));
  return false;
}

void Call::Json(std::string body) { reply.Send({200, kJson, {{"Cache-Control", "no-store"}}, std::move(body)}); }

bool Call::PrefersText() const { return request.Header("Accept").value_or("").starts_with("text/plain"); }

void Call::Text(std::string body) { reply.Send({200, kText, {{"Cache-Control", "no-store"}}, std::move(body)}); }

Response Later(Code code, std::string_view detail) {
  Response response = Problem(code, detail);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

Response MethodNotAllowed(std::string_view allowed) {
  Response response = Problem(Code::kMethodNotAllowed, fmt::format("expected {}", allowed));
  response.headers.emplace_back("Allow", std::string(allowed));
  return response;
}

}  // namespace attune

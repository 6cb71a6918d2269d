#include "api/call.h"

#include <fmt/format.h>

#include <charconv>

#include "http/problem.h"

namespace attune {

std::optional<int64_t> Api::Call::Number(std::string_view parameter, int64_t otherwise, int64_t least, int64_t most) {
  const auto text = request.QueryParameter(parameter);
  if (!text) return otherwise;
  int64_t number;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error == std::errc() && end == text->data() + text->size() && number >= least && number <= most) return number;
  reply.Send(
      Problem(Code::kInvalidParameter,
              fmt::format("{}: expected a whole number from {} to {}, found \"{}\"", parameter, least, most, *text)));
  return std::nullopt;
}

// What was durable when a question is asked is applied before it: loops take both from one queue.
bool Api::Call::CheckPosition(uint64_t durable) {
  const auto header = request.Header("Attune-Position");
  if (!header) return true;
  uint64_t position = 0;
  const auto [end, error] = std::from_chars(header->data(), header->data() + header->size(), position);
  if (error == std::errc() && end == header->data() + header->size() && position <= durable) return true;
  reply.Send(Problem(Code::kInvalidPosition,
                     fmt::format("expected a number up to {}, found \"{}\"", durable, *header)));
  return false;
}

void Api::Call::Json(std::string body) { reply.Send({200, kJson, {{"Cache-Control", "no-store"}}, std::move(body)}); }

bool MatchesPath(std::string_view route, const std::vector<std::string>& pieces, std::vector<std::string>* names) {
  size_t i = 0;
  while (!route.empty()) {
    route.remove_prefix(1);  // the slash
    const std::string_view piece = route.substr(0, route.find('/'));
    route.remove_prefix(piece.size());
    if (i >= pieces.size()) return false;
    if (piece.starts_with('{')) {
      names->push_back(pieces[i]);
    } else if (piece != pieces[i]) {
      return false;
    }
    ++i;
  }
  return i == pieces.size();
}

Response Later(Code code, std::string_view detail) {
  Response response = Problem(code, detail);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

Response MethodNotAllowed(std::string_view allowed) {
  Response response =
      Problem(Code::kMethodNotAllowed, fmt::format("expected {}", allowed));
  response.headers.emplace_back("Allow", std::string(allowed));
  return response;
}

Response RefusalProblem(const Refusal& refusal) {
  std::vector<ProblemField> extra;
  if (refusal.line > 0) {
    extra.push_back({"offset", static_cast<int64_t>(refusal.offset)});
    extra.push_back({"line", static_cast<int64_t>(refusal.line)});
    extra.push_back({"column", static_cast<int64_t>(refusal.column)});
  }
  if (refusal.limit > 0) {
    extra.push_back({"limit", static_cast<int64_t>(refusal.limit)});
    extra.push_back({"actual", static_cast<int64_t>(refusal.actual)});
  }
  return Problem(refusal.reason, refusal.detail, extra);
}

}  // namespace attune

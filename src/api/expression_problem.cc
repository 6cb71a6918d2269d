#include "api/expression_problem.h"

#include <nlohmann/json.hpp>

#include "http/problem.h"

namespace attune {

Response ExpressionProblem(const std::vector<struct Problem>& problems) {
  nlohmann::json errors = nlohmann::json::array();
  const struct Problem* first = nullptr;
  for (const auto& problem : problems) {
    if (problem.warning) continue;
    if (!first) first = &problem;
    errors.push_back(
        {{"in", problem.file}, {"line", problem.line}, {"column", problem.column}, {"message", problem.message}});
  }
  Response response = Problem(Code::kInvalidExpression, first->message,
                              {{"line", int64_t{first->line}}, {"column", int64_t{first->column}}});
  response.body.pop_back();
  response.body += ",\"errors\":" + errors.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '}';
  return response;
}

}  // namespace attune

#include "api/previews.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "analysis/preview.h"
#include "api/expression_problem.h"
#include "base/json.h"
#include "history/stored_history.h"
#include "plan/excerpt.h"

namespace attune {
namespace {

constexpr size_t kMaxSample = 1000;
constexpr size_t kMaxExpressionBytes = 64 << 10;

Response WrongBody(const std::string& detail) { return Problem(Code::kInvalidBody, detail); }

// What the body asks for. With `wrong` it is refused.
struct AskedPreview {
  std::string when;
  std::string segment;  // empty: none
  size_t sample = 10;
  std::optional<Response> wrong;
};

AskedPreview ReadPreview(const std::string& text) {
  AskedPreview asked;
  const auto body = nlohmann::json::parse(text, nullptr, false);
  const auto wrong = [&](std::string detail) {
    asked.wrong = WrongBody(detail);
    return asked;
  };
  if (!body.is_object()) return wrong("expected a JSON object such as {\"when\": \"count(purchase[30d]) >= 2\"}");
  for (const auto& [name, value] : body.items()) {
    if (name == "when" || name == "segment") {
      if (!value.is_string()) return wrong(fmt::format("{}: expected a string, found {}", name, value.type_name()));
      (name == "when" ? asked.when : asked.segment) = value.get<std::string>();
    } else if (name == "sample") {
      if (!value.is_number_unsigned() || value.get<uint64_t>() > kMaxSample) {
        return wrong(fmt::format("sample: expected a whole number from 0 to {}, found {}", kMaxSample,
                                 value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)));
      }
      asked.sample = value.get<size_t>();
    } else {
      return wrong(fmt::format("expected \"when\", \"segment\" or \"sample\", found \"{}\"", name));
    }
  }
  if (!body.contains("when")) return wrong("expected \"when\", an expression");
  if (asked.when.size() > kMaxExpressionBytes) {
    return wrong(fmt::format("when: expected an expression of at most {} bytes, found {}", kMaxExpressionBytes,
                             asked.when.size()));
  }
  return asked;
}

std::string NamesJson(const std::vector<std::string>& names) {
  std::string json = "[";
  for (const std::string& name : names) {
    if (json.size() > 1) json += ',';
    AppendJsonString(name, &json);
  }
  return json + ']';
}

std::string CrowdJson(const Crowd& crowd) {
  return fmt::format("{{\"size\":{},\"sample\":{}}}", crowd.size(), NamesJson(crowd.Sample()));
}

std::string PreviewJson(const PreviewQuestion& question, const Preview& preview, uint64_t position,
                        const std::vector<std::string>& warnings) {
  std::string json = "{\"when\":";
  AppendJsonString(ToText(*question.when), &json);
  json += fmt::format(
      ",\"as_of\":\"{}\",\"position\":{},\"users\":{},\"size\":{},\"sample\":{},\"incomplete\":{},\"state_bound\":{}",
      FormatRfc3339(question.at), position, preview.users, preview.members.size(), NamesJson(preview.members.Sample()),
      preview.incomplete, preview.state_bound);
  json += ",\"against\":";
  if (question.against) {
    json += "{\"segment\":";
    AppendJsonString(question.against->name, &json);
    json += ",\"when\":";
    AppendJsonString(ToText(*question.against->when), &json);
    json += fmt::format(",\"size\":{},\"enter\":{},\"leave\":{}}}", preview.present, CrowdJson(preview.entering),
                        CrowdJson(preview.leaving));
  } else {
    json += "null";
  }
  return json + ",\"warnings\":" + NamesJson(warnings) + '}';
}

}  // namespace

PreviewsResource::PreviewsResource(RequestRouter* router, Runtime* runtime, StudiesResource* studies)
    : runtime_(*runtime), studies_(*studies) {
  router->On("POST /v1/segments/preview", [this](Call call) { Begin(std::move(call)); });
  studies->AddShowAndCancel("/v1/segments/preview/{id}");
}

void PreviewsResource::Begin(Call call) {
  const uint64_t position = runtime_.durable_sequence();
  if (!call.CheckPosition(position)) return;
  AskedPreview asked = ReadPreview(call.request.body);
  if (asked.wrong) return call.reply.Send(std::move(*asked.wrong));
  auto question = std::make_shared<PreviewQuestion>();
  question->plan = runtime_.plan_state()->program().plan;
  question->at = runtime_.Now();
  question->sample = asked.sample;
  if (!asked.segment.empty()) {
    question->against = question->plan->FindSegment(asked.segment);
    if (!question->against) return call.reply.Send(Problem(Code::kUnknownSegment, asked.segment));
  }
  ParsedExpression parsed = ParseCondition(asked.when, *question->plan);
  if (!parsed.expression) return call.reply.Send(ExpressionProblem(parsed.problems));
  question->when = std::move(parsed.expression);
  std::vector<std::string> warnings;
  for (const auto& problem : parsed.problems)
    warnings.push_back(fmt::format("{}:{}: {}", problem.line, problem.column, problem.message));
  if (question->against && RestsOnSegment(*question->when, *question->plan, asked.segment)) {
    warnings.push_back("the expression rests on the segment \"" + asked.segment +
                       "\" as it is: as its own definition it would run in a circle");
  }
  studies_.Begin(std::move(call), [this, question, position, warnings](StudyProgress* progress) -> StudyOutcome {
    LogHistory history(&runtime_.log(), position);
    const auto preview = RunPreview(*question, &history, progress);
    if (!preview.ok()) return {"", StudyOutcome::Failure{Code::kLogUnreadable, preview.error().message}};
    return {PreviewJson(*question, *preview, position, warnings)};
  });
}

}  // namespace attune

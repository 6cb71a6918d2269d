// POST /v1/segments/preview, and what is said of a study that nobody waits for.
#include "analysis/preview.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/call.h"
#include "base/json.h"
#include "http/problem.h"
#include "plan/excerpt.h"

namespace attune {
namespace {

constexpr size_t kMaxSample = 1000;
constexpr size_t kMaxExpressionBytes = 64 << 10;

Response WrongBody(const std::string& detail) { return Problem(Code::kInvalidBody, detail); }

// What the body says. A response: it is wrong.
struct Asked {
  std::string when;
  std::string segment;  // empty: none
  size_t sample = 10;
  std::optional<Response> wrong;
};

Asked ReadBody(const std::string& text) {
  Asked asked;
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
        return wrong(fmt::format("sample: expected a whole number from 0 to {}, found {}", kMaxSample, value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)));
      }
      asked.sample = value.get<size_t>();
    } else {
      return wrong(fmt::format("expected \"when\", \"segment\" or \"sample\", found \"{}\"", name));
    }
  }
  if (!body.contains("when")) return wrong("expected \"when\", an expression");
  if (asked.when.size() > kMaxExpressionBytes) {
    return wrong(fmt::format("when: expected an expression of at most {} bytes, found {}", kMaxExpressionBytes, asked.when.size()));
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
  json += fmt::format(",\"as_of\":\"{}\",\"position\":{},\"users\":{},\"size\":{},\"sample\":{},\"incomplete\":{},\"state_bound\":{}",
                      FormatRfc3339(question.at), position, preview.users, preview.members.size(),
                      NamesJson(preview.members.Sample()), preview.incomplete, preview.state_bound);
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

bool AsksForLater(const Request& request) {
  const auto prefer = request.Header("Prefer");
  return prefer && prefer->find("respond-async") != std::string_view::npos;
}

}  // namespace

Response ExpressionProblem(const std::vector<struct Problem>& problems) {
  nlohmann::json errors = nlohmann::json::array();
  const struct Problem* first = nullptr;
  for (const auto& problem : problems) {
    if (problem.warning) continue;
    if (!first) first = &problem;
    errors.push_back({{"in", problem.file}, {"line", problem.line}, {"column", problem.column}, {"message", problem.message}});
  }
  Response response = Problem(Code::kInvalidExpression, first->message,
                              {{"line", int64_t{first->line}}, {"column", int64_t{first->column}}});
  response.body.pop_back();
  response.body += ",\"errors\":" + errors.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '}';
  return response;
}

void Api::BeginStudy(Call call, Studies::Work work) {
  if (draining_) return call.reply.Send(Later(Code::kDraining, "the server is shutting down"));
  const bool later = AsksForLater(call.request);
  auto shared = std::make_shared<Call>(std::move(call));
  const auto id = later ? studies_.Begin(std::move(work))
                        : studies_.Begin(std::move(work), [shared](Response response) { shared->reply.Send(std::move(response)); });
  if (!id) {
    Response response = Problem(Code::kStudyRunning, "another question over the whole history is being answered");
    response.headers.emplace_back("Retry-After", std::to_string(studies_.SecondsLeft()));
    return shared->reply.Send(Refused(Code::kStudyRunning, std::move(response)));
  }
  if (!later) return;
  Response response{202, kJson, {{"Cache-Control", "no-store"}, {"Preference-Applied", "respond-async"}}, studies_.Show(*id).value_or("null")};
  response.headers.emplace_back("Location", std::string(shared->request.path()) + "/" + *id);
  shared->reply.Send(std::move(response));
}

void Api::ShowStudy(Call call) {
  const auto told = studies_.Show(call.names[0]);
  if (told) return call.Json(*told);
  call.reply.Send(Problem(Code::kUnknownStudy, call.names[0]));
}

void Api::CancelStudy(Call call) {
  if (studies_.Cancel(call.names[0])) return call.reply.Send({204, "", {}, ""});
  call.reply.Send(Problem(Code::kUnknownStudy, call.names[0]));
}

void Api::PreviewSegment(Call call) {
  const uint64_t position = runtime_.durable_sequence();
  if (!call.CheckPosition(position)) return;
  Asked asked = ReadBody(call.request.body);
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
  for (const auto& problem : parsed.problems) warnings.push_back(fmt::format("{}:{}: {}", problem.line, problem.column, problem.message));
  if (question->against && RestsOnSegment(*question->when, *question->plan, asked.segment)) {
    warnings.push_back("the expression rests on the segment \"" + asked.segment + "\" as it is: as its own definition it would run in a circle");
  }
  BeginStudy(std::move(call), [this, question, position, warnings](StudyProgress* progress) -> Response {
    LogHistory history(&runtime_.log(), position);
    const auto preview = RunPreview(*question, &history, progress);
    if (!preview.ok()) return Problem(Code::kLogUnreadable, preview.error().message);
    return {200, kJson, {{"Cache-Control", "no-store"}}, PreviewJson(*question, *preview, position, warnings)};
  });
}

}  // namespace attune

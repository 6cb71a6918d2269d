#include "api/studies.h"

#include <fmt/format.h>

#include <memory>

#include "base/json.h"

namespace attune {
namespace {

Response ResponseOf(StudyOutcome outcome) {
  if (!outcome.failure) {
    return {200, outcome.is_text ? kText : kJson, {{"Cache-Control", "no-store"}}, std::move(outcome.result)};
  }
  Response response = Problem(outcome.failure->code, outcome.failure->detail);
  if (const int seconds = outcome.failure->retry_seconds; seconds > 0) {
    response.headers.emplace_back("Retry-After", std::to_string(seconds));
  }
  return response;
}

// {"id","state","done","total","result","problem"}: state is running, done or failed. `null` when there is no study.
std::string JsonOf(const std::optional<Studies::View>& study) {
  if (!study) return "null";
  const bool failed = study->outcome && study->outcome->failure;
  const bool done = study->outcome && !failed;
  std::string json = "{\"id\":";
  AppendJsonString(study->id, &json);
  json += fmt::format(",\"state\":\"{}\",\"done\":{},\"total\":{}",
                      failed ? "failed"
                      : done ? "done"
                             : "running",
                      study->done, study->total);
  json += ",\"result\":";
  if (done && study->outcome->is_text) {
    AppendJsonString(study->outcome->result, &json);
  } else {
    json += done ? study->outcome->result : "null";
  }
  json += ",\"problem\":" + (failed ? ResponseOf(*study->outcome).body : "null");
  return json + '}';
}

bool PrefersLater(const Request& request) {
  const auto prefer = request.Header("Prefer");
  return prefer && prefer->find("respond-async") != std::string_view::npos;
}

}  // namespace

StudiesResource::StudiesResource(RequestRouter* router, Studies* studies, RefusedRequests* refused,
                                 const std::atomic<bool>* draining)
    : router_(*router), studies_(*studies), refused_(*refused), draining_(*draining) {}

void StudiesResource::AddShowAndCancel(const std::string& path) {
  router_.On("GET " + path, [this](Call call) { Show(std::move(call)); });
  router_.On("DELETE " + path, [this](Call call) { Cancel(std::move(call)); });
}

void StudiesResource::Begin(Call call, Studies::Work work) {
  if (draining_) return call.reply.Send(Later(Code::kDraining, "the server is shutting down"));
  const bool later = PrefersLater(call.request);
  auto shared = std::make_shared<Call>(std::move(call));
  const auto id =
      later ? studies_.Begin(std::move(work)) : studies_.Begin(std::move(work), [shared](StudyOutcome outcome) {
        shared->reply.Send(ResponseOf(std::move(outcome)));
      });
  if (!id) {
    Response response = Problem(Code::kStudyRunning, "another question over the whole history is being answered");
    response.headers.emplace_back("Retry-After", std::to_string(studies_.SecondsLeft()));
    return shared->reply.Send(refused_.Count(Code::kStudyRunning, std::move(response)));
  }
  if (!later) return;
  Response response{
      202, kJson, {{"Cache-Control", "no-store"}, {"Preference-Applied", "respond-async"}}, JsonOf(studies_.Find(*id))};
  response.headers.emplace_back("Location", std::string(shared->request.path()) + "/" + *id);
  shared->reply.Send(std::move(response));
}

void StudiesResource::Show(Call call) const {
  const auto study = studies_.Find(call.names[0]);
  if (study) return call.Json(JsonOf(study));
  call.reply.Send(Problem(Code::kUnknownStudy, call.names[0]));
}

void StudiesResource::Cancel(Call call) {
  if (studies_.Cancel(call.names[0])) return call.reply.Send({204, "", {}, ""});
  call.reply.Send(Problem(Code::kUnknownStudy, call.names[0]));
}

}  // namespace attune

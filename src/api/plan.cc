#include "api/plan.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "http/problem.h"

namespace attune {
namespace {

std::string_view NameOf(PlanProgress::State state) {
  switch (state) {
    case PlanProgress::State::kNone: return "none";
    case PlanProgress::State::kReading: return "reading";
    case PlanProgress::State::kChanging: return "changing";
    case PlanProgress::State::kDone: return "done";
    case PlanProgress::State::kFailed: return "failed";
    case PlanProgress::State::kCancelled: return "cancelled";
  }
  return "";
}

std::string PlanJson(const Plan& plan, const PlanProgress& progress) {
  std::string json = "{\"files\":[";
  for (const std::string& file : plan.files) {
    if (json.back() != '[') json += ',';
    AppendJsonString(file, &json);
  }
  json += fmt::format("],\"fingerprint\":\"{:016x}\",\"metrics\":{},\"segments\":{},\"triggers\":{},\"change\":",
                      plan.fingerprint, plan.metrics.size(), plan.segments.size(), plan.triggers.size());
  if (progress.state == PlanProgress::State::kNone) return json + "null}";
  json += fmt::format("{{\"state\":\"{}\",\"fingerprint\":\"{:016x}\",\"began\":\"{}\",\"done\":{},\"total\":{}",
                      NameOf(progress.state), progress.fingerprint, FormatRfc3339(progress.began), progress.done,
                      progress.total);
  if (!progress.failure.empty()) {
    json += ",\"failure\":";
    AppendJsonString(progress.failure, &json);
  }
  return json + "}}";
}

}  // namespace

PlanResource::PlanResource(RequestRouter* router, Runtime* runtime, BackgroundResponder* background,
                           const std::atomic<bool>* draining, std::string path)
    : runtime_(*runtime), background_(*background), draining_(*draining), path_(std::move(path)) {
  router->On("GET /v1/plan",
             [this](Call call) { call.Json(PlanJson(runtime_.plan_state()->plan(), runtime_.plan_progress())); });
  router->On("PUT /v1/plan", [this](Call call) { Replace(std::move(call)); });
}

// On the background thread, one after the other: compiling a plan may take long, and its file is synced.
void PlanResource::Replace(Call call) {
  if (draining_) return call.reply.Send(Later(Code::kDraining, "the server is shutting down"));
  auto shared = std::make_shared<Call>(std::move(call));
  const bool begun = background_.Begin([this, shared] {
    ReplaceNow(shared.get());
    return BackgroundResponder::Turn::kDone;
  });
  if (!begun) shared->reply.Send(Later(Code::kOverloaded, "many long questions are being answered"));
}

void PlanResource::ReplaceNow(Call* call) {
  if (path_.empty() || std::filesystem::is_directory(path_)) {
    return call->reply.Send(
        Problem(Code::kPlanNotReplaceable, path_.empty()
                                               ? "the server has its plan from no file"
                                               : path_ + " is a folder: change its files and send the process SIGHUP"));
  }
  LoadedPlan loaded = ParsePlan(call->request.body, path_);
  if (!loaded.plan) {
    std::string problems;
    const struct Problem* first = nullptr;
    for (const auto& problem : loaded.problems) {
      if (problem.warning) continue;
      if (!first) first = &problem;
      problems += (problems.empty() ? "" : "\n") + ToText(problem);
    }
    return call->reply.Send(
        Problem(Code::kInvalidPlan, problems, {{"line", int64_t{first->line}}, {"column", int64_t{first->column}}}));
  }
  const std::shared_ptr<const Plan> plan = std::move(loaded.plan);
  if (call->request.QueryParameter("dry_run").value_or("false") == "true") {
    return call->Json(PlanJson(*plan, runtime_.plan_progress()));
  }
  // The file first: whenever the process stops, it starts with the plan that was accepted last.
  if (Status written = ReplaceFile(path_, call->request.body); !written.ok()) {
    return call->reply.Send(Problem(Code::kPlanNotReplaceable, written.error().message));
  }
  const int status = runtime_.ChangePlan(plan) ? 202 : 200;
  call->reply.Send({status,
                    kJson,
                    {{"Location", "/v1/plan"}, {"Cache-Control", "no-store"}},
                    PlanJson(runtime_.plan_state()->plan(), runtime_.plan_progress())});
}

}  // namespace attune

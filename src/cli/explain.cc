// attune explain: why an expression has its value for a user, from the log of a data folder, which may be in use, or
// from a running server.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "base/bytes.h"
#include "cli/command.h"
#include "cli/plan_input.h"
#include "cli/remote_server.h"
#include "engine/explain/explain.h"
#include "history/history_run.h"
#include "identity/linked_ids.h"
#include "log/file/file_reader.h"
#include "shard/shard.h"

namespace attune {
namespace {

struct ExplainSettings {
  std::string data;
  std::string server;
  std::string plan;
  std::string user;
  std::string expression;
  std::string at;
  bool json = false;
} explain_settings;

Millis Now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// The records durable so far; the log may be in use.
Status ForEachRecord(const std::string& dir, const std::function<void(const RecordView&)>& fn) {
  auto reader = FileReader::Open(dir, 1);
  if (!reader.ok()) return reader.error();
  RecordView record;
  while (true) {
    const auto more = reader->Next(&record);
    if (!more.ok()) return more.error();
    if (!*more) return {};
    fn(record);
  }
}

// Asks a running server, which answers with the text or the JSON that is printed here.
int ExplainByServer() {
  const ExplainSettings& asked = explain_settings;
  if (!asked.plan.empty()) return Complain("--plan is for --data: a server has its own plan", kExitInvalid);
  int code = kExitDone;
  auto server = RemoteServer::Connect(asked.server, &code);
  if (!server) return code;
  const std::string path = "/v1/users/" + EncodeForUrl(asked.user) + "/explain";
  const char* accept = asked.json ? "application/json" : "text/plain";
  const auto ask = [&](const char* parameter) {
    QueryPairs query{{parameter, asked.expression}};
    if (!asked.at.empty()) query.emplace_back("at", asked.at);
    return server->Get(path, query, accept);
  };
  auto answer = ask("segment");
  const auto is = [&](const char* problem) { return answer.ok() && TextMemberOf(answer->body, "code") == problem; };
  if (is("unknown_segment")) answer = ask("expression");
  if (is("unknown_user")) return Complain("no event of the user " + asked.user + " has come", kExitFailed);
  if (!answer.ok() || answer->status != 200) return server->Complain(answer);
  if (asked.json) {
    fmt::print("{}\n", JsonMemberOf(answer->body, "explanation"));
  } else {
    fmt::print("{}", answer->body);
  }
  return kExitDone;
}

}  // namespace

void ExplainOptions(CLI::App* app) {
  app->add_option("user", explain_settings.user, "the user's id")->required();
  app->add_option("expression", explain_settings.expression, "an expression, or the name of a segment or metric")->required();
  AddDataAndServer(app, &explain_settings.data, &explain_settings.server);
  app->add_option("--plan", explain_settings.plan, "the plan (default: the one that served this folder last)");
  app->add_option("--at", explain_settings.at, "the instant (default: now)");
  app->add_flag("--json", explain_settings.json, "as JSON, as the API says it");
}

int RunExplain() {
  Millis at = Now();
  if (!explain_settings.at.empty()) {
    const auto instant = ParseInstant(explain_settings.at);
    if (!instant) {
      return Complain("--at: expected a time such as 2026-03-01T10:00:00Z or epoch milliseconds, found \"" + explain_settings.at + "\"",
                      kExitInvalid);
    }
    at = *instant;
  }
  if (!HasDataOrServer(explain_settings.data, explain_settings.server)) return kExitInvalid;
  if (!explain_settings.server.empty()) return ExplainByServer();
  if (!FindPlanOfFolder(explain_settings.data, &explain_settings.plan)) return kExitInvalid;
  const auto plan = LoadPlanOrComplain(explain_settings.plan);
  if (!plan) return kExitInvalid;
  const Segment* segment = plan->FindSegment(explain_settings.expression);
  ParsedExpression parsed;
  if (!segment) {
    parsed = ParseExpression(explain_settings.expression, *plan);
    for (const Problem& problem : parsed.problems) fmt::print(stderr, "{}\n", ToText(problem));
    if (!parsed.expression) return kExitInvalid;
  }
  // First find the ids that may ever have been one person's with this one. The second pass finds whose records they
  // are.
  LinkedIds linked;
  Status read = ForEachRecord(explain_settings.data + "/log", [&](const RecordView& record) {
    if (record.type == static_cast<uint8_t>(RecordType::kLinking)) linked.TakeIn(DecodeEvent(record.payload)->head);
  });
  if (!read.ok()) return Complain(read.error().message, kExitFailed);
  HistoryRun run(Program::Compile(plan), {}, {[](const Transition&) {}, [](const TriggerFiring&) {}, nullptr});
  read = ForEachRecord(explain_settings.data + "/log", [&](const RecordView& record) {
    if (HoldsEvent(record.type)) {
      if (linked.AreLinked(DecodeEvent(record.payload)->head.user, explain_settings.user)) run.Apply(record.payload);
    } else if (record.type == static_cast<uint8_t>(RecordType::kUndoMerge)) {
      ByteReader in(record.payload);
      const Millis undone_at = in.I64();
      run.UndoMerge(in.String(), undone_at);
    }
  });
  if (!read.ok()) return Complain(read.error().message, kExitFailed);
  Explainer explainer(plan, segment ? *segment->when : *parsed.expression, explain_settings.user);
  for (const std::string_view bytes : run.HistoryOf(explain_settings.user)) explainer.Add(bytes);
  if (!explainer.has_records()) return Complain("no event of the user " + explain_settings.user + " has come", kExitFailed);
  const Explanation explanation = explainer.At(at);
  if (explain_settings.json) {
    fmt::print("{}\n", ExplanationJson(explanation));
  } else {
    fmt::print("{}", ExplanationPage(explain_settings.user, at, explanation));
  }
  return kExitDone;
}

}  // namespace attune

#include <fmt/format.h>

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdlib>

#include "base/journal.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/plan_input.h"
#include "log/file/recovery.h"
#include "server/harden.h"
#include "server/plan_note.h"
#include "server/service.h"
#include "server/watch.h"

namespace attune {
namespace {

struct ServeSettings {
  std::string plan;
  std::string data;
  std::string listen = "127.0.0.1:8080";
  int threads = 0;
  size_t keep_effects = OutboxOptions().max_effects;
  std::string log_format = "auto";
  bool access_log = false;
  LetterQuota keep_letters;
  RateOptions rates;
  int connections_per_network = HttpLimits().max_connections_per_network;
} serve_settings;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

void PrintMadeKeys(const Keys& keys) {
  for (const Keys::Made& made : keys.made()) {
    fmt::print("{} {}   (shown once; only its hash is stored)\n",
               made.kind == KeyKind::kWrite ? "write key:" : "API key:  ", made.key);
  }
}

JournalFormat FormatOfJournal() {
  const bool terminal = serve_settings.log_format == "auto" && isatty(STDERR_FILENO) == 1;
  return terminal || serve_settings.log_format == "text" ? JournalFormat::kText : JournalFormat::kJson;
}

// One line, in the journal's format when programs read it.
int ComplainOfStart(const Error& error) {
  std::string said = error.message;
  if (error.code == ErrorCode::kCorrupt) {
    said += fmt::format("; nothing was changed: `attune verify {0}` says all that is damaged, `attune verify {0} --repair` keeps what is whole",
                        serve_settings.data);
  }
  const int code = error.code == ErrorCode::kInvalid ? kExitInvalid : kExitFailed;
  if (FormatOfJournal() == JournalFormat::kText) return Complain(said, code);
  Journal::OfProcess().Fail("not_started", said, {{"exit_code", int64_t{code}}});
  return code;
}

void NoteStart(const Runtime& runtime, const LogRecovery& log, std::chrono::steady_clock::duration took) {
  Journal& journal = Journal::OfProcess();
  if (geteuid() == 0) journal.Warn("running_as_root", "the server runs as root, and needs no right of root's; see docs/operations.md");
  if (log.torn_bytes > 0) {
    journal.Warn("torn_write_cut", "the last write of the run before was cut; nothing of it had been acknowledged",
                 {{"bytes", static_cast<int64_t>(log.torn_bytes)}, {"last_record", static_cast<int64_t>(log.last_sequence)}});
  }
  journal.Info("recovered", "",
               {{"data", std::string_view(serve_settings.data)},
                {"last_record", static_cast<int64_t>(log.last_sequence)},
                {"log_files", static_cast<int64_t>(log.files)},
                {"records_applied", static_cast<int64_t>(runtime.recovered_records())},
                {"users", static_cast<int64_t>(runtime.stats().users.load())},
                {"seconds", std::chrono::duration<double>(took).count()}});
}

// Reloads the plan on SIGHUP.
void ChangePlan(Runtime* runtime) {
  Journal& journal = Journal::OfProcess();
  LoadedPlan loaded = LoadPlan(serve_settings.plan);
  for (const Problem& problem : loaded.problems) {
    if (!problem.warning) journal.Warn("plan_refused", ToText(problem));
  }
  const auto plan = std::shared_ptr<const Plan>(std::move(loaded.plan));
  if (!plan) return journal.Warn("plan_refused", "the plan has mistakes; the present one goes on");
  if (!runtime->ChangePlan(plan)) journal.Info("plan_unchanged", "the plan has not changed");
}

}  // namespace

void ServeOptions(CLI::App* app) {
  app->add_option("--plan", serve_settings.plan, "the plan: a YAML file, or a folder of them")->required();
  app->add_option("--data", serve_settings.data, "the folder that holds all state; made when it is missing")->required();
  app->add_option("--listen", serve_settings.listen, "HOST:PORT; port 0 picks a free one")->capture_default_str();
  app->add_option("--threads", serve_settings.threads,
                  "threads of the server and of the shard loops each (default: one for each core)");
  app->add_option("--keep-effects", serve_settings.keep_effects,
                  "how many changes and firings, about, /v1/stream can tell again; none for longer than 7 days")
      ->check(CLI::Range(1, 1'000'000'000))
      ->capture_default_str();
  app->add_option("--log-format", serve_settings.log_format, "of what is said on stderr: text, json (a line each), or auto: text on a terminal")
      ->check(CLI::IsMember({"auto", "text", "json"}))
      ->capture_default_str();
  app->add_flag("--access-log", serve_settings.access_log, "a line on stderr for each answer: its route, status, size, time, and the client's network");
  app->add_option("--keep-dead-letters", serve_settings.keep_letters.letters,
                  "how many dead letters, about, are kept, in about 1 GiB; beyond it refused requests go first, then the oldest events")
      ->check(CLI::Range(1, 1'000'000'000))
      ->capture_default_str();
  app->add_option("--rate-limit", serve_settings.rates.per_key, "events a second that a write key may send (default: as many as come)")
      ->check(CLI::PositiveNumber);
  app->add_option("--rate-limit-network", serve_settings.rates.per_network,
                  "events a second that the clients of one network may send, /24 or /48 (default: as many as come)")
      ->check(CLI::PositiveNumber);
  app->add_option("--max-connections-per-network", serve_settings.connections_per_network,
                  "connections at a time from one network (IPv4 /24, IPv6 /48; loopback is none); 0: no bound")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
}

int RunServe() {
  ServiceOptions options;
  options.data = serve_settings.data;
  options.threads = serve_settings.threads;
  options.keep_effects = serve_settings.keep_effects;
  options.keep_letters = serve_settings.keep_letters;
  options.rates = serve_settings.rates;
  options.connections_per_network = serve_settings.connections_per_network;
  if (!ParseListen(serve_settings.listen, &options.host, &options.port)) {
    return Complain("--listen: expected HOST:PORT, found \"" + serve_settings.listen + "\"", kExitInvalid);
  }
  options.write_key = Environment("ATTUNE_WRITE_KEY");
  options.api_key = Environment("ATTUNE_API_KEY");
  const auto plan = LoadPlanOrComplain(serve_settings.plan);
  if (!plan) return kExitInvalid;
  NoteSignals();
  HardenProcess();
  Journal& journal = Journal::OfProcess();
  journal.Begin(FormatOfJournal());
  options.access_lines = serve_settings.access_log;
  const auto began = std::chrono::steady_clock::now();
  Progress progress("recovering");
  options.on_recovery = [&](uint64_t done, uint64_t total) {
    progress.Show(done, total, fmt::format("{} of {} records", done, total));
  };
  options.plan_path = serve_settings.plan;
  const std::string host = options.host;
  auto service = Service::Start(plan, std::move(options));
  progress.Clear();
  if (!service.ok()) return ComplainOfStart(service.error());
  NoteStart((*service)->runtime(), (*service)->log_recovery(), std::chrono::steady_clock::now() - began);
  WritePlanNote(serve_settings.data, serve_settings.plan);
  PrintMadeKeys((*service)->keys());
  const std::string url = fmt::format("http://{}:{}/", host.find(':') == std::string::npos ? host : "[" + host + "]", (*service)->port());
  fmt::print("attune is ready at {}\n", url);
  std::fflush(stdout);
  journal.Info("ready", "", {{"version", std::string_view(ATTUNE_VERSION)}, {"process", int64_t{getpid()}}, {"url", std::string_view(url)}});
  Runtime& runtime = (*service)->runtime();
  ServiceWatch watch(&runtime);
  const auto failed = [&] {
    watch.Look();
    return !runtime.failure().ok();
  };
  WaitForSignal(failed, [&] { ChangePlan(&runtime); });
  const Status failure = runtime.failure();
  journal.Info("draining", "requests that have begun are answered, then the process ends");
  (*service)->Stop();
  journal.Info("stopped", "", {{"last_record", static_cast<int64_t>(runtime.durable_sequence())}});
  if (!failure.ok()) {
    const std::string said = failure.error().message + "; what was answered as accepted is on disk, the next start goes on from there";
    if (journal.format() == JournalFormat::kText) return Complain(said, kExitFailed);
    journal.Fail("failed", said, {{"exit_code", int64_t{kExitFailed}}});
    return kExitFailed;
  }
  return kExitDone;
}

}  // namespace attune

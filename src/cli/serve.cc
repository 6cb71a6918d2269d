#include <fmt/format.h>

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>

#include "base/journal.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/plan_input.h"
#include "cli/setting_options.h"
#include "log/file/recovery.h"
#include "server/harden.h"
#include "server/plan_note.h"
#include "server/service.h"
#include "server/watch.h"

namespace attune {
namespace {

SettingOptions serve_options;

void PrintMadeKeys(const Keys& keys) {
  for (const Keys::Made& made : keys.made()) {
    fmt::print("{} {}   (shown once; only its hash is stored)\n",
               made.kind == KeyKind::kWrite ? "write key:" : "API key:  ", made.key);
  }
}

JournalFormat FormatOfJournal(const std::string& log_format) {
  const bool terminal = log_format == "auto" && isatty(STDERR_FILENO) == 1;
  return terminal || log_format == "text" ? JournalFormat::kText : JournalFormat::kJson;
}

// One line, in the journal's format when programs read it.
int ReportFailedStart(const std::string& data, const Error& error) {
  std::string said = error.message;
  if (error.code == ErrorCode::kCorrupt) {
    said += fmt::format("; nothing was changed: `attune verify {0}` says all that is damaged, `attune verify {0} --repair` keeps what is whole",
                        data);
  }
  const int code = error.code == ErrorCode::kInvalid ? kExitInvalid : kExitFailed;
  if (Journal::OfProcess().format() == JournalFormat::kText) return Complain(said, code);
  Journal::OfProcess().Fail("not_started", said, {{"exit_code", int64_t{code}}});
  return code;
}

void NoteStart(const std::string& data, const Runtime& runtime, const LogRecovery& log, std::chrono::steady_clock::duration took) {
  Journal& journal = Journal::OfProcess();
  if (geteuid() == 0) journal.Warn("running_as_root", "the server runs as root, and needs no right of root's; see docs/operations.md");
  if (log.torn_bytes > 0) {
    journal.Warn("torn_write_cut", "the last write of the run before was cut; nothing of it had been acknowledged",
                 {{"bytes", static_cast<int64_t>(log.torn_bytes)}, {"last_record", static_cast<int64_t>(log.last_sequence)}});
  }
  journal.Info("recovered", "",
               {{"data", std::string_view(data)},
                {"last_record", static_cast<int64_t>(log.last_sequence)},
                {"log_files", static_cast<int64_t>(log.files)},
                {"records_applied", static_cast<int64_t>(runtime.recovered_records())},
                {"users", static_cast<int64_t>(runtime.stats().users.load())},
                {"seconds", std::chrono::duration<double>(took).count()}});
}

// Reloads the plan on SIGHUP.
void ChangePlan(const std::string& path, Runtime* runtime) {
  Journal& journal = Journal::OfProcess();
  LoadedPlan loaded = LoadPlan(path);
  for (const Problem& problem : loaded.problems) {
    if (!problem.warning) journal.Warn("plan_refused", ToText(problem));
  }
  const auto plan = std::shared_ptr<const Plan>(std::move(loaded.plan));
  if (!plan) return journal.Warn("plan_refused", "the plan has mistakes; the present one goes on");
  if (!runtime->ChangePlan(plan)) journal.Info("plan_unchanged", "the plan has not changed");
}

// False, with a message: neither flag, variable nor file gives a setting without which the server cannot start.
bool CheckGiven(const char* key, const std::string& text) {
  if (!text.empty()) return true;
  const auto is_key = [&](const Setting& setting) { return std::string_view(setting.key) == key; };
  const Setting& setting = *std::find_if(Settings().begin(), Settings().end(), is_key);
  Complain(fmt::format("`{0}` is not set: use the flag {1} PATH, the variable {2}, or `{0}: PATH` in the file of --config",
                       key, setting.flag(), setting.variable()),
           kExitInvalid);
  return false;
}

}  // namespace

void ServeOptions(CLI::App* app) { serve_options.AddTo(app); }

int RunServe() {
  LoadedConfiguration loaded = LoadConfiguration(serve_options.Input());
  PrintProblems(loaded, false);
  if (!loaded.configuration) return kExitInvalid;
  ServiceOptions options = std::move(loaded.configuration->settings.service);
  const std::string plan_path = options.plan_path, data = options.data;
  if (!CheckGiven("plan", plan_path) || !CheckGiven("data", data)) return kExitInvalid;
  const auto plan = LoadPlanOrComplain(plan_path);
  if (!plan) return kExitInvalid;
  NoteSignals();
  HardenProcess();
  Journal& journal = Journal::OfProcess();
  journal.Begin(FormatOfJournal(loaded.configuration->settings.log_format));
  for (const std::string& warning : loaded.warnings) journal.Warn("unknown_variable", warning);
  const auto began = std::chrono::steady_clock::now();
  Progress progress("recovering");
  options.on_recovery = [&](uint64_t done, uint64_t total) {
    progress.Show(done, total, fmt::format("{} of {} records", done, total));
  };
  const std::string host = options.host;
  const std::string admin_host = options.admin_listen.substr(0, options.admin_listen.rfind(':'));
  auto service = Service::Start(plan, std::move(options));
  progress.Clear();
  if (!service.ok()) return ReportFailedStart(data, service.error());
  NoteStart(data, (*service)->runtime(), (*service)->log_recovery(), std::chrono::steady_clock::now() - began);
  WritePlanNote(data, plan_path);
  PrintMadeKeys((*service)->keys());
  const std::string url = fmt::format("http://{}:{}/", host.find(':') == std::string::npos ? host : "[" + host + "]", (*service)->port());
  const std::string admin_url = (*service)->admin_port() == 0 ? "" : fmt::format("http://{}:{}/metrics", admin_host, (*service)->admin_port());
  if (!admin_url.empty()) fmt::print("metrics are at {}\n", admin_url);
  fmt::print("attune is ready at {}\n", url);
  std::fflush(stdout);
  journal.Info("ready", "", {{"version", std::string_view(ATTUNE_VERSION)}, {"process", int64_t{getpid()}}, {"url", std::string_view(url)}});
  Runtime& runtime = (*service)->runtime();
  ServiceWatch watch(&runtime);
  const auto failed = [&] {
    watch.Look();
    return !runtime.failure().ok();
  };
  WaitForSignal(failed, [&] { ChangePlan(plan_path, &runtime); });
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

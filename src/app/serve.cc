#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "app/command.h"
#include "app/plan_input.h"
#include "app/progress.h"
#include "app/service.h"
#include "shard/plan_note.h"

namespace attune {
namespace {

struct ServeSettings {
  std::string plan;
  std::string data;
  std::string listen = "127.0.0.1:8080";
  int threads = 0;
  size_t keep_effects = OutboxOptions().max_effects;
} settings;

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

int CodeOf(const Error& error) { return error.code == ErrorCode::kInvalid ? kExitInvalid : kExitFailed; }

}  // namespace

void ServeOptions(CLI::App* app) {
  app->add_option("--plan", settings.plan, "the plan: a YAML file, or a folder of them")->required();
  app->add_option("--data", settings.data, "the folder that holds all state; made when it is missing")->required();
  app->add_option("--listen", settings.listen, "HOST:PORT; port 0 picks a free one")->capture_default_str();
  app->add_option("--threads", settings.threads,
                  "threads of the server and of the shard loops each (default: one for each core)");
  app->add_option("--keep-effects", settings.keep_effects,
                  "how many changes and firings, about, /v1/stream can tell again; none for longer than 7 days")
      ->check(CLI::Range(1, 1'000'000'000))
      ->capture_default_str();
}

int RunServe() {
  ServiceOptions options;
  options.data = settings.data;
  options.threads = settings.threads;
  options.keep_effects = settings.keep_effects;
  if (!ParseListen(settings.listen, &options.host, &options.port)) {
    return Complain("--listen: expected HOST:PORT, found \"" + settings.listen + "\"", kExitInvalid);
  }
  options.write_key = Environment("ATTUNE_WRITE_KEY");
  options.api_key = Environment("ATTUNE_API_KEY");
  const auto plan = LoadPlanOrComplain(settings.plan);
  if (!plan) return kExitInvalid;
  NoteSignals();
  Progress progress("recovering");
  options.on_recovery = [&](uint64_t done, uint64_t total) {
    progress.Show(done, total, fmt::format("{} of {} records", done, total));
  };
  options.plan_path = settings.plan;
  const std::string host = options.host;
  auto service = Service::Start(plan, std::move(options));
  progress.Clear();
  if (!service.ok()) return Complain(service.error().message, CodeOf(service.error()));
  WritePlanNote(settings.data, settings.plan);
  PrintMadeKeys((*service)->keys());
  fmt::print("attune is ready at http://{}:{}/\n", host.find(':') == std::string::npos ? host : "[" + host + "]",
             (*service)->port());
  std::fflush(stdout);
  const auto failed = [&] { return !(*service)->runtime().failure().ok(); };
  WaitForSignal(failed, [&] {
    const auto changed = LoadPlanOrComplain(settings.plan);
    if (!changed) return static_cast<void>(Complain("the plan has mistakes; the present one goes on", kExitInvalid));
    const bool begun = (*service)->runtime().ChangePlan(changed);
    fmt::print(stderr, "attune: {}\n", begun ? "building the state of the changed plan from the log" : "the plan has not changed");
  });
  const Status failure = (*service)->runtime().failure();
  (*service)->Stop();
  if (!failure.ok()) {
    return Complain(failure.error().message + "; what was answered as accepted is on disk, the next start goes on from there",
                    kExitFailed);
  }
  return kExitDone;
}

}  // namespace attune

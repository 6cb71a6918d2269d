#include "server/service.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <thread>

#include "api/router.h"
#include "server/server_metrics.h"

namespace attune {
namespace {

constexpr int64_t kDrainMs = 20'000;  // for requests that have begun; a supervisor kills after 30 s

std::atomic<bool> signal_came{false};
std::atomic<bool> hangup_came{false};

void OnSignal(int number) {
  if (number == SIGHUP) {
    hangup_came = true;
    return;
  }
  if (signal_came.exchange(true)) _exit(128 + number);
}

}  // namespace

Result<std::unique_ptr<Service>> Service::Start(std::shared_ptr<const Plan> plan, ServiceOptions options) {
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const int threads = std::min(options.threads > 0 ? options.threads : cores, kShards);
  const auto program = Program::Compile(std::move(plan));
  auto service = std::unique_ptr<Service>(new Service());
  service->dead_letters_ = std::make_unique<DeadLetters>(options.keep_letters);
  RuntimeOptions runtime_options;
  runtime_options.threads = threads;
  runtime_options.outbox.enabled = options.keep_effects > 0;
  if (options.keep_effects > 0) runtime_options.outbox.max_effects = options.keep_effects;
  runtime_options.on_recovery = std::move(options.on_recovery);
  runtime_options.on_store = [letters = service->dead_letters_.get()](Store* store) { letters->SetStore(store); };
  runtime_options.on_dead_letter = [letters = service->dead_letters_.get()](const RecordView& record) {
    return letters->StoreRecord(record);
  };
  auto folder = FolderRuntime::Open(options.data, program, std::move(runtime_options));
  if (!folder.ok()) return folder.error();
  service->folder_ = std::move(folder).value();
  Runtime& runtime = service->runtime();
  auto keys = Keys::Open(&runtime.store(), KeyFilePath(options.data),
                         {options.write_key, options.api_key, std::move(options.sources)});
  if (!keys.ok()) return keys.error();
  service->keys_ = std::make_unique<Keys>(std::move(keys).value());
  ServerOptions server_options;
  server_options.limits.max_connections_per_network = options.connections_per_network;
  service->resources_ = std::make_unique<Resources>(
      &runtime, service->keys_.get(), service->dead_letters_.get(),
      ResourceOptions{std::move(options.plan_path), std::move(options.status_note), options.rates, server_options.limits, options.metrics_open});
  AddServerMetrics(&service->started_server_, &service->resources_->metrics());
  AddProcessMetrics(&service->resources_->metrics());
  server_options.host = options.host;
  server_options.port = options.port;
  server_options.threads = threads;
  const RequestRouter* router = &service->resources_->router();
  if (options.access_lines) server_options.route_of = [router](const Request& request) { return router->RouteOf(request); };
  auto server = Server::Start(std::move(server_options), [router](Request request, Reply reply) {
    router->Handle(std::move(request), std::move(reply));
  });
  if (!server.ok()) return server.error();
  service->server_ = std::move(server).value();
  service->started_server_ = service->server_.get();
  if (options.admin_listen.empty()) return service;
  ServerOptions operations;
  if (!ParseListen(options.admin_listen, &operations.host, &operations.port)) {
    return Error{ErrorCode::kInvalid, "admin_listen: expected HOST:PORT, found \"" + options.admin_listen + "\""};
  }
  auto admin_server = Server::Start(std::move(operations), [router](Request request, Reply reply) {
    router->HandleOperation(std::move(request), std::move(reply));
  });
  if (!admin_server.ok()) return admin_server.error();
  service->admin_server_ = std::move(admin_server).value();
  return service;
}

Service::~Service() { Stop(); }

void Service::Stop() {
  if (resources_) resources_->Drain();
  if (server_) server_->Drain(kDrainMs);
  if (admin_server_) admin_server_->Drain(0);
  if (folder_) folder_->runtime().Close();
}

bool ParseListen(const std::string& text, std::string* host, uint16_t* port) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return false;
  const auto [end, error] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), *port);
  if (error != std::errc() || end != text.data() + text.size() || colon + 1 == text.size()) return false;
  *host = text.substr(0, colon);
  if (host->size() > 2 && host->front() == '[' && host->back() == ']') *host = host->substr(1, host->size() - 2);
  if (host->empty()) *host = "0.0.0.0";
  return true;
}

void NoteSignals() {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGHUP, &action, nullptr);
}

// A signal interrupts the pause when this thread gets it; when another thread does, the flag is read after the pause.
void WaitForSignal(const std::function<bool()>& ended, const std::function<void()>& on_hangup) {
  while (!signal_came && !ended()) {
    if (hangup_came.exchange(false) && on_hangup) on_hangup();
    const timespec pause{0, 50'000'000};
    nanosleep(&pause, nullptr);
  }
}

}  // namespace attune

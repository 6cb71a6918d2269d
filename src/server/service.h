// A whole server: runtime, resources, HTTP server. `serve`, `demo` and `bench` start one.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "access/keys.h"
#include "access/rate_limits.h"
#include "base/result.h"
#include "dead_letter/dead_letters.h"
#include "http/server.h"
#include "server/folder_runtime.h"
#include "server/resources.h"

namespace attune {

struct ServiceOptions {
  std::string data;
  std::string host = "127.0.0.1";
  uint16_t port = 8080;   // 0: a free one
  int threads = 0;        // of the server and of the loops each; 0: one for each core
  std::string write_key;  // beside those that are stored; empty: none
  std::string api_key;
  std::vector<GivenSource> sources;  // with their own write keys
  std::string admin_listen;          // HOST:PORT for operations; empty: none
  bool metrics_open = false;         // GET /metrics needs no key
  std::string plan_path;  // of the plan given, for PUT /v1/plan; empty: from no file
  std::string status_note;
  bool access_lines = false;  // a line of the journal for each answer
  LetterQuota keep_letters;
  RateOptions rates;
  size_t keep_effects = OutboxOptions().max_effects;  // about this many can be read from the stream again; 0: none are published
  int connections_per_network = HttpLimits().max_connections_per_network;
  std::function<void(uint64_t done, uint64_t total)> on_recovery;
};

class Service {
 public:
  // kInvalid, kConflict, kIo, kCorrupt: as the parts say.
  static Result<std::unique_ptr<Service>> Start(std::shared_ptr<const Plan> plan, ServiceOptions options);
  // Stop().
  ~Service();

  uint16_t port() const { return server_->port(); }
  // Of the listener for operations; 0: there is none.
  uint16_t admin_port() const { return admin_server_ ? admin_server_->port() : 0; }
  const Keys& keys() const { return *keys_; }
  Runtime& runtime() { return folder_->runtime(); }
  // What the start found in the log files.
  const LogRecovery& log_recovery() const { return folder_->log_recovery(); }

  // Answers the requests that have begun, makes durable what was accepted, writes a last snapshot.
  void Stop();

 private:
  Service() = default;

  std::unique_ptr<DeadLetters> dead_letters_;
  std::unique_ptr<FolderRuntime> folder_;
  std::unique_ptr<Keys> keys_;
  std::unique_ptr<Resources> resources_;
  std::unique_ptr<Server> server_;
  std::atomic<const Server*> started_server_{nullptr};  // for metrics
  std::unique_ptr<Server> admin_server_;                // null: there is no listener for operations
};

// `HOST:PORT`, `[::1]:PORT` or `:PORT`. False when it is none.
bool ParseListen(const std::string& text, std::string* host, uint16_t* port);

// From now on SIGTERM, SIGINT and SIGHUP are only recorded; a second SIGTERM or SIGINT ends the process at once.
void NoteSignals();
// Waits for SIGTERM or SIGINT, or until `ended` returns true. Meanwhile calls `on_hangup` for each SIGHUP.
void WaitForSignal(const std::function<bool()>& ended, const std::function<void()>& on_hangup = nullptr);

}  // namespace attune

#include "server/server_metrics.h"

#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>

namespace attune {
namespace {

// The second number of /proc/self/statm, in pages.
uint64_t ResidentMemory() {
  std::ifstream statm("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  if (!(statm >> total >> resident)) return 0;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t OpenFiles() {
  std::error_code error;
  uint64_t files = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end; !error && entry != end; entry.increment(error)) ++files;
  return files > 0 ? files - 1 : 0;  // the directory itself is open meanwhile
}

}  // namespace

void AddServerMetrics(const std::atomic<const Server*>* server, Metrics* metrics) {
  const auto read = [server](auto ServerStats::*figure) {
    return [server, figure] {
      const Server* started = server->load(std::memory_order_acquire);
      return started ? static_cast<uint64_t>(started->stats().*figure) : 0;
    };
  };
  metrics->Gauge("attune_http_connections", "Open connections", read(&ServerStats::connections_open));
  metrics->Counter("attune_http_connections_total", "Connections that were accepted", read(&ServerStats::connections_accepted));
  metrics->Counter("attune_http_connections_refused_total", "Connections that were closed at once, as their network had too many",
                   read(&ServerStats::connections_refused));
  metrics->Counter("attune_http_accept_failures_total", "Connections that could not be accepted, mostly for lack of file descriptors",
                   read(&ServerStats::accept_failures));
  metrics->Counter("attune_http_requests_total", "Requests that were passed to a resource", read(&ServerStats::requests));
  metrics->Counter("attune_http_malformed_total", "Requests that were malformed or exceeded a limit", read(&ServerStats::refused));
  metrics->Counter("attune_http_timed_out_total", "Connections that were closed for exceeding a time", read(&ServerStats::timed_out));
  metrics->Counter("attune_http_handler_failures_total", "Requests that failed because of a fault of the server",
                   read(&ServerStats::handler_failures));
}

void AddProcessMetrics(Metrics* metrics) {
  metrics->Gauge("process_resident_memory_bytes", "Resident memory", ResidentMemory);
  metrics->Gauge("process_open_fds", "Open file descriptors", OpenFiles);
  const auto began = static_cast<uint64_t>(std::time(nullptr));
  metrics->Gauge("process_start_time_seconds", "The start of the process, in seconds since 1970", [began] { return began; });
}

}  // namespace attune

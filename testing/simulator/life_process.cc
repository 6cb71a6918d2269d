#include "simulator/life_process.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "base/check.h"

namespace attune {
namespace {

constexpr rlim_t kMostSeconds = 600;      // of processor time; a life takes less than one
constexpr size_t kMostComplaint = 8'000;  // bytes of what a process that was ended had to say

void WriteAll(int fd, const void* bytes, size_t size) {
  const char* at = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t written = write(fd, at, size);
    if (written <= 0) _exit(1);
    at += written;
    size -= static_cast<size_t>(written);
  }
}

// Counts, promise, failure: the reader is the same program.
[[noreturn]] void LiveAndTell(const SimulationOptions& options, int to, int complaints) {
  const rlimit processor{kMostSeconds, kMostSeconds}, core{0, 0};
  setrlimit(RLIMIT_CPU, &processor);
  setrlimit(RLIMIT_CORE, &core);
  dup2(complaints, STDERR_FILENO);
  const SimulationReport report = Simulate(options);
  WriteAll(to, &report.counts, sizeof report.counts);
  WriteAll(to, &report.broken, sizeof report.broken);
  WriteAll(to, report.failure.data(), report.failure.size());
  std::fflush(stdout);
  _exit(0);
}

std::string ReadAll(int fd) {
  std::string all;
  char bytes[1 << 16];
  for (ssize_t n = 0; (n = read(fd, bytes, sizeof bytes)) > 0;) all.append(bytes, static_cast<size_t>(n));
  return all;
}

std::string HowItEnded(int status) {
  if (WIFEXITED(status)) return fmt::format("exited with {}", WEXITSTATUS(status));
  if (WTERMSIG(status) == SIGXCPU) return fmt::format("did not end within {} seconds of processor time", kMostSeconds);
  return fmt::format("was ended by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
}

}  // namespace

SimulationReport SimulateApart(const SimulationOptions& options) {
  int ends[2];
  const int complaints = memfd_create("complaints", 0);
  ATTUNE_CHECK(pipe(ends) == 0 && complaints >= 0, "a process may have a few files more");
  std::fflush(stdout);
  const pid_t child = fork();
  ATTUNE_CHECK(child >= 0, "there may be one process more");
  if (child == 0) LiveAndTell(options, ends[1], complaints);
  close(ends[1]);
  const std::string told = ReadAll(ends[0]);
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0) continue;
  lseek(complaints, 0, SEEK_SET);
  const std::string complaint = ReadAll(complaints);
  close(complaints);

  SimulationReport report;
  if (constexpr size_t head = sizeof report.counts + sizeof report.broken; status == 0 && told.size() >= head) {
    std::memcpy(&report.counts, told.data(), sizeof report.counts);
    std::memcpy(&report.broken, told.data() + sizeof report.counts, sizeof report.broken);
    report.failure = told.substr(head);
    return report;
  }
  report.broken = Promise::kAlive;
  report.failure = fmt::format("seed {}: {}: the process {}\n{}", options.seed, NameOf(report.broken), HowItEnded(status),
                               complaint.substr(0, kMostComplaint));
  return report;
}

}  // namespace attune

#include "server/folder_runtime.h"

#include "log/file/file_log.h"
#include "log/log.h"

namespace attune {

Result<std::unique_ptr<FolderRuntime>> FolderRuntime::Open(const std::string& dir, std::shared_ptr<const Program> program,
                                                           RuntimeOptions options) {
  auto lock = DataLock::Take(dir);
  if (!lock.ok()) return lock.error();
  auto folder = std::unique_ptr<FolderRuntime>(new FolderRuntime(std::move(lock).value()));
  options.open_log = [dir, workers = options.workers, recovery = &folder->log_recovery_](LogFollower follower) -> Result<std::unique_ptr<Log>> {
    FileLogOptions log_options;
    log_options.workers = workers;
    log_options.on_durable = std::move(follower);
    auto log = FileLog::Open(dir + "/log", std::move(log_options));
    if (!log.ok()) return log.error();
    *recovery = (*log)->recovery();
    return std::unique_ptr<Log>(std::move(log).value());
  };
  auto runtime = Runtime::Open(dir, std::move(program), std::move(options));
  if (!runtime.ok()) return runtime.error();
  folder->runtime_ = std::move(runtime).value();
  return folder;
}

}  // namespace attune

#include "server/folder_runtime.h"

#include "log/file/file_log.h"

namespace attune {

Result<std::unique_ptr<FolderRuntime>> FolderRuntime::Open(const std::string& dir, std::shared_ptr<const Program> program,
                                                           RuntimeOptions options) {
  auto lock = DataLock::Take(dir);
  if (!lock.ok()) return lock.error();
  auto folder = std::unique_ptr<FolderRuntime>(new FolderRuntime(std::move(lock).value()));
  FileLogOptions log_options;
  log_options.workers = options.workers;
  options.open_log = FileLogIn(dir + "/log", log_options, &folder->log_recovery_);
  auto runtime = Runtime::Open(dir, std::move(program), std::move(options));
  if (!runtime.ok()) return runtime.error();
  folder->runtime_ = std::move(runtime).value();
  return folder;
}

}  // namespace attune

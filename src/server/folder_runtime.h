// A runtime on a data folder: the folder's lock, its log files, and its store.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "log/file/data_lock.h"
#include "log/file/recovery.h"
#include "shard/runtime.h"

namespace attune {

class FolderRuntime {
 public:
  // Locks the folder, which is made if it is missing, then recovers from DIR/state and DIR/log. Sets options.open_log.
  // kConflict: another process holds the folder. Other errors: as Runtime::Open and FileLog::Open.
  static Result<std::unique_ptr<FolderRuntime>> Open(const std::string& dir, std::shared_ptr<const Program> program,
                                                     RuntimeOptions options);

  Runtime& runtime() { return *runtime_; }
  // What was found in the log files.
  const LogRecovery& log_recovery() const { return log_recovery_; }

 private:
  explicit FolderRuntime(DataLock lock) : lock_(std::move(lock)) {}

  DataLock lock_;
  LogRecovery log_recovery_;
  std::unique_ptr<Runtime> runtime_;
};

}  // namespace attune

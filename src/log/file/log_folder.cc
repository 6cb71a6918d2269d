#include "log/file/log_folder.h"

#include "log/file/file_reader.h"

namespace attune {

Result<std::unique_ptr<LogReader>> LogFolder::NewReader(uint64_t from_sequence, std::optional<uint64_t> last_sequence) {
  return NewFileReader(dir_, from_sequence, {.last_sequence = last_sequence, .disk = &disk_});
}

Result<std::vector<std::optional<FoundRecord>>> LogFolder::Read(std::span<const uint64_t> sequences) {
  FileLookup* lookup = nullptr;
  {
    const std::lock_guard hold(mutex_);
    if (!lookup_) {
      auto opened = FileLookup::Open(dir_, &disk_);
      if (!opened.ok()) return opened.error();
      lookup_ = std::move(opened).value();
    }
    lookup = lookup_.get();
  }
  return lookup->Read(sequences);
}

}  // namespace attune

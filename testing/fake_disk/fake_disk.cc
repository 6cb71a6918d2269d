#include "fake_disk/fake_disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace attune {
namespace {

constexpr uint64_t kFakeSectorBytes = 512;

Error Full(const std::string& path) {
  return Error{ErrorCode::kUnavailable, fmt::format("{}: cannot write: storage full", path)};
}

}  // namespace

class FakeFile : public DiskFile {
 public:
  FakeFile(FakeDisk* disk, std::shared_ptr<FakeDisk::Inode> inode, std::string path)
      : disk_(disk), inode_(std::move(inode)), path_(std::move(path)), born_(disk->generation_) {}

  Result<size_t> Read(uint64_t offset, char* out, size_t size) override {
    std::lock_guard lock(disk_->mutex_);
    if (auto error = Fault(FakeDisk::Op::kRead)) return *error;
    if (offset >= inode_->content.size()) return size_t{0};
    const size_t read = inode_->content.copy(out, size, offset);
    if (!disk_->faults_held_) disk_->bytes_read_ += read;
    return read;
  }

  Status Write(uint64_t offset, std::string_view bytes) override {
    std::lock_guard lock(disk_->mutex_);
    if (auto error = Lost()) return *error;
    const auto fault = disk_->Count(FakeDisk::Op::kWrite);
    size_t written = fault ? std::min(fault->partial, bytes.size()) : bytes.size();
    const uint64_t end = offset + written;
    const uint64_t growth = end > inode_->content.size() ? end - inode_->content.size() : 0;
    const uint64_t used = disk_->Used();
    const uint64_t room = disk_->capacity_ > used ? disk_->capacity_ - used : 0;
    const bool full = growth > room;
    if (full) written -= std::min<uint64_t>(written, growth - room);
    Do({FakeDisk::Change::kWrite, offset, std::string(bytes.substr(0, written))});
    if (fault) return fault->error;
    if (full) return Full(path_);
    return {};
  }

  Status Sync() override {
    std::unique_lock lock(disk_->mutex_);
    ++disk_->syncs_waiting_;
    disk_->changed_.notify_all();
    disk_->changed_.wait(lock, [&] { return !disk_->syncs_held_; });
    --disk_->syncs_waiting_;
    if (auto error = Fault(FakeDisk::Op::kSync)) {
      // As on Linux: the changes stay readable, are no longer dirty, and are never written to the disk.
      inode_->unsynced.clear();
      return *error;
    }
    if (disk_->syncs_lie_) return {};
    // Applies change by change, not the whole content: changes that an earlier failed sync dropped stay lost.
    for (const FakeDisk::Change& change : inode_->unsynced) {
      FakeDisk::Apply(change, &inode_->durable);
    }
    inode_->unsynced.clear();
    return {};
  }

  Status Truncate(uint64_t size) override {
    std::lock_guard lock(disk_->mutex_);
    if (auto error = Fault(FakeDisk::Op::kTruncate)) return *error;
    Do({FakeDisk::Change::kResize, size, {}});
    return {};
  }

  Status Allocate(uint64_t size) override {
    std::lock_guard lock(disk_->mutex_);
    if (auto error = Fault(FakeDisk::Op::kAllocate)) return *error;
    if (size <= inode_->content.size()) return {};
    if (disk_->Used() + size - inode_->content.size() > disk_->capacity_) return Full(path_);
    Do({FakeDisk::Change::kResize, size, {}});
    return {};
  }

  Result<uint64_t> Size() override {
    std::lock_guard lock(disk_->mutex_);
    return static_cast<uint64_t>(inode_->content.size());
  }

 private:
  std::optional<Error> Lost() const {
    if (born_ == disk_->generation_) return std::nullopt;
    return Error{ErrorCode::kIo, fmt::format("{}: the power was cut", path_)};
  }
  std::optional<Error> Fault(FakeDisk::Op op) {
    if (auto error = Lost()) return error;
    const auto fault = disk_->Count(op);
    return fault ? std::optional<Error>(fault->error) : std::nullopt;
  }
  void Do(FakeDisk::Change change) {
    FakeDisk::Apply(change, &inode_->content);
    inode_->unsynced.push_back(std::move(change));
  }

  FakeDisk* const disk_;
  const std::shared_ptr<FakeDisk::Inode> inode_;
  const std::string path_;
  const uint64_t born_;
};

void FakeDisk::Apply(const Change& change, std::string* bytes) {
  if (change.kind == Change::kResize) {
    bytes->resize(change.offset);
    return;
  }
  if (change.bytes.empty()) return;
  if (bytes->size() < change.offset + change.bytes.size()) {
    bytes->resize(change.offset + change.bytes.size());
  }
  bytes->replace(change.offset, change.bytes.size(), change.bytes);
}

std::optional<FakeDisk::Fault> FakeDisk::Count(Op op) {
  if (faults_held_) return std::nullopt;
  ++calls_[op];
  std::optional<Fault> due;
  std::erase_if(faults_, [&](Fault& fault) {
    if (fault.op != op || fault.after-- > 0) return false;
    if (!due) due = fault;
    return true;
  });
  return due;
}

uint64_t FakeDisk::Used() const {
  uint64_t used = 0;
  for (const auto& [path, inode] : names_) used += inode->content.size();
  return used;
}

Result<std::unique_ptr<DiskFile>> FakeDisk::Open(const std::string& path, Mode mode) {
  std::lock_guard lock(mutex_);
  if (auto fault = Count(Op::kOpen)) return fault->error;
  auto it = names_.find(path);
  if (it == names_.end()) {
    if (mode != Mode::kCreate) {
      return Error{ErrorCode::kNotFound, fmt::format("{}: cannot open: no such file", path)};
    }
    it = names_.emplace(path, std::make_shared<Inode>()).first;
  } else if (mode == Mode::kCreate) {
    it->second->content.clear();
    it->second->unsynced.push_back({Change::kResize, 0, {}});
  }
  return std::unique_ptr<DiskFile>(std::make_unique<FakeFile>(this, it->second, path));
}

Status FakeDisk::MakeDir(const std::string& dir) {
  std::lock_guard lock(mutex_);
  dirs_.insert(dir);
  return {};
}

Result<std::vector<std::string>> FakeDisk::List(const std::string& dir) {
  std::lock_guard lock(mutex_);
  if (!dirs_.contains(dir)) {
    return Error{ErrorCode::kNotFound, fmt::format("{}: cannot list: no such folder", dir)};
  }
  std::vector<std::string> names;
  for (const auto& [path, inode] : names_) {
    if (path.starts_with(dir + "/")) names.push_back(path.substr(dir.size() + 1));
  }
  return names;
}

Status FakeDisk::Remove(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (auto fault = Count(Op::kRemove)) return fault->error;
  if (names_.erase(path) == 0) {
    return Error{ErrorCode::kNotFound, fmt::format("{}: cannot remove: no such file", path)};
  }
  return {};
}

Status FakeDisk::SyncDir(const std::string& dir) {
  std::lock_guard lock(mutex_);
  if (auto fault = Count(Op::kSyncDir)) return fault->error;
  const std::string prefix = dir + "/";
  std::erase_if(durable_names_, [&](const auto& entry) { return entry.first.starts_with(prefix); });
  for (const auto& entry : names_) {
    if (entry.first.starts_with(prefix)) durable_names_.insert(entry);
  }
  return {};
}

void FakeDisk::CrashWith(const std::function<void(Inode&)>& arrive) {
  std::lock_guard lock(mutex_);
  ++generation_;
  names_ = durable_names_;
  std::map<std::string, std::shared_ptr<Inode>> after;
  for (const auto& [path, inode] : names_) {
    arrive(*inode);
    // A new inode: files still open keep the old one.
    after[path] = std::make_shared<Inode>(Inode{inode->durable, inode->durable, {}});
  }
  names_ = after;
  durable_names_ = after;
}

void FakeDisk::Kill() {
  std::lock_guard lock(mutex_);
  ++generation_;
}

void FakeDisk::ClearFaults() {
  std::lock_guard lock(mutex_);
  faults_.clear();
}

void FakeDisk::SuspendFaults(bool held) {
  std::lock_guard lock(mutex_);
  faults_held_ = held;
}

void FakeDisk::IgnoreSyncs() {
  std::lock_guard lock(mutex_);
  syncs_lie_ = true;
}

void FakeDisk::Crash() {
  CrashWith([](Inode&) {});
}

void FakeDisk::CrashKeepingBytes(uint64_t bytes) {
  CrashWith([bytes](Inode& inode) {
    uint64_t left = bytes;
    for (Change& change : inode.unsynced) {
      if (change.kind == Change::kWrite) {
        change.bytes.resize(std::min<uint64_t>(left, change.bytes.size()));
        left -= change.bytes.size();
      }
      Apply(change, &inode.durable);
    }
  });
}

void FakeDisk::CrashKeepingSectors(const std::function<bool(uint64_t)>& keep) {
  CrashWith([&keep](Inode& inode) {
    for (const Change& change : inode.unsynced) {
      if (change.kind == Change::kResize) {
        Apply(change, &inode.durable);
        continue;
      }
      const uint64_t end = change.offset + change.bytes.size();
      for (uint64_t at = change.offset; at < end;) {
        const uint64_t sector = at / kFakeSectorBytes * kFakeSectorBytes;
        const uint64_t stop = std::min(end, sector + kFakeSectorBytes);
        if (keep(sector)) {
          Apply({Change::kWrite, at, change.bytes.substr(at - change.offset, stop - at)}, &inode.durable);
        }
        at = stop;
      }
    }
  });
}

void FakeDisk::FailAfter(Op op, int after, Error error, size_t partial) {
  std::lock_guard lock(mutex_);
  faults_.push_back({op, after, std::move(error), partial});
}

void FakeDisk::SetCapacity(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

void FakeDisk::HoldSyncs() {
  std::lock_guard lock(mutex_);
  syncs_held_ = true;
}

void FakeDisk::ReleaseSyncs() {
  std::lock_guard lock(mutex_);
  syncs_held_ = false;
  changed_.notify_all();
}

void FakeDisk::AwaitHeldSync() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return syncs_held_ && syncs_waiting_ > 0; });
}

int FakeDisk::calls(Op op) const {
  std::lock_guard lock(mutex_);
  const auto it = calls_.find(op);
  return it == calls_.end() ? 0 : it->second;
}

uint64_t FakeDisk::bytes_read() const {
  std::lock_guard lock(mutex_);
  return bytes_read_;
}

std::string FakeDisk::Content(const std::string& path) const {
  std::lock_guard lock(mutex_);
  const auto it = names_.find(path);
  ATTUNE_CHECK(it != names_.end(), "a test looks only at files that exist");
  return it->second->content;
}

void FakeDisk::SetContent(const std::string& path, std::string bytes) {
  std::lock_guard lock(mutex_);
  auto inode = std::make_shared<Inode>(Inode{bytes, bytes, {}});
  names_[path] = inode;
  durable_names_[path] = inode;
}

std::vector<std::string> FakeDisk::Paths() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, inode] : names_) paths.push_back(path);
  return paths;
}

std::unique_ptr<FakeDisk> FakeDisk::Clone() const {
  std::lock_guard lock(mutex_);
  auto clone = std::make_unique<FakeDisk>();
  clone->dirs_ = dirs_;
  for (const auto& [path, inode] : names_) {
    clone->names_[path] = std::make_shared<Inode>(Inode{inode->content, inode->content, {}});
  }
  clone->durable_names_ = clone->names_;
  return clone;
}

}  // namespace attune

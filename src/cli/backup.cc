// attune backup and attune restore. A backup is the log, the hashes of the keys and the plan: all other state is built
// from these. The server may be running and is not affected.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "access/key_file.h"
#include "base/file.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/manifest.h"
#include "cli/plan_input.h"
#include "log/file/copy_log.h"
#include "log/file/disk.h"
#include "server/plan_note.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

constexpr const char* kManifestName = "manifest";
constexpr uintmax_t kMostPlanBytes = 16 << 20;  // limit of a file beside the plan that is copied with it

struct BackupSettings {
  std::string data;
  std::string out;
  std::string plan;
  std::string backup;
} backup_settings;

std::string WithoutSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string ReadText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// Whether the folder is missing, or exists and is empty.
bool IsFree(const std::string& dir) {
  std::error_code error;
  return !fs::exists(dir, error) || (fs::is_directory(dir, error) && fs::is_empty(dir, error));
}

// Makes the names within a folder, and its own, durable across a power cut.
Status SyncFolders(const std::string& dir) {
  for (const auto& entry : fs::recursive_directory_iterator(dir)) {
    if (!entry.is_directory()) continue;
    if (Status synced = RealDisk().SyncDir(entry.path().string()); !synced.ok()) return synced;
  }
  if (Status synced = RealDisk().SyncDir(dir); !synced.ok()) return synced;
  const fs::path parent = fs::absolute(dir).parent_path();
  return RealDisk().SyncDir(parent.string());
}

// --- backup ---

class Backup {
 public:
  Backup(std::string data, std::string out) : data_(std::move(data)), out_(std::move(out)) {}

  Status Run() {
    manifest_.program = ATTUNE_VERSION;
    manifest_.created = FormatRfc3339(WallClock());
    for (const char* name : {"/log", "/plan"}) {
      if (Status made = RealDisk().MakeDir(out_ + name); !made.ok()) return made;
    }
    // What seldom changes comes first: keys and a plan copied shortly before the log's end are still valid for its
    // records.
    if (Status keys = CopyKeys(); !keys.ok()) return keys;
    if (Status plan = CopyPlan(); !plan.ok()) return plan;
    if (Status log = CopyRecords(); !log.ok()) return log;
    if (Status synced = SyncFolders(out_); !synced.ok()) return synced;
    return ReplaceFile(out_ + '/' + kManifestName, ManifestText(manifest_));
  }

  void Summarise() const {
    fmt::print("{} records ({} to {}) in {} files, {} bytes\n", report_.records, report_.first_sequence, report_.last_sequence, report_.files, bytes_);
    if (manifest_.plan.empty()) fmt::print("without the plan: {}\n", without_plan_);
    if (!has_keys_) fmt::print("without keys: the folder holds none; they come from the environment\n");
  }

 private:
  void Add(const std::string& folder, const CopiedFile& file) {
    manifest_.files.push_back({folder.empty() ? file.name : folder + '/' + file.name, file.bytes, ToHex(file.sha256)});
    bytes_ += file.bytes;
  }

  Status CopyKeys() {
    const auto keys = ReadKeyFile(KeyFilePath(data_));
    if (!keys.ok()) return keys.error();
    has_keys_ = !keys->empty();
    if (!has_keys_) return {};
    const auto copied = CopyFile(data_, out_, "keys");
    if (!copied.ok()) return copied.error();
    Add("", *copied);
    return {};
  }

  // Copies the plan, or all plans of its folder, with the schemas beside them.
  Status CopyPlan() {
    std::string plan = backup_settings.plan;
    if (plan.empty()) {
      const auto note = ReadPlanNote(data_);
      if (!note.ok()) return note.error();
      plan = *note;
    }
    const LoadedPlan loaded = plan.empty() ? LoadedPlan() : LoadPlan(plan);
    if (!loaded.plan) {
      without_plan_ = plan.empty() ? "the folder does not say which one served it" : plan + " cannot be used; keep it beside the backup";
      return {};
    }
    const fs::path path(plan);
    const bool folder = fs::is_directory(path);
    const fs::path from = folder ? path : path.parent_path();
    const std::string text = folder ? "" : ReadText(plan);
    for (const auto& entry : fs::directory_iterator(from.empty() ? fs::path(".") : from)) {
      const std::string name = entry.path().filename().string(), kind = entry.path().extension().string();
      const bool wanted = folder ? kind == ".yaml" || kind == ".yml" || kind == ".json"
                                 : name == path.filename() || (kind == ".json" && text.find(name) != std::string::npos);
      if (!wanted || !entry.is_regular_file() || entry.file_size() > kMostPlanBytes) continue;
      const auto copied = CopyFile(from.empty() ? "." : from.string(), out_ + "/plan", name);
      if (!copied.ok()) return copied.error();
      Add("plan", *copied);
    }
    manifest_.plan = folder ? "plan" : "plan/" + path.filename().string();
    const LoadedPlan again = LoadPlan(out_ + '/' + manifest_.plan);
    if (again.plan && again.plan->fingerprint == loaded.plan->fingerprint) return {};
    manifest_.plan.clear();
    without_plan_ = plan + " uses files from elsewhere; keep it beside the backup";
    return {};
  }

  Status CopyRecords() {
    Progress progress("log");
    uint64_t total = 0, done = 0;
    for (const auto& entry : fs::directory_iterator(data_ + "/log")) total += entry.is_regular_file() ? entry.file_size() : 0;
    auto copy = CopyLog(data_ + "/log", out_ + "/log", [&](uint64_t bytes) {
      done += bytes;
      progress.Show(done, total, fmt::format("{} MiB", done >> 20));
    });
    if (!copy.ok()) return copy.error();
    for (const CopiedFile& file : copy->files) Add("log", file);
    report_ = copy->report;
    manifest_.first_record = report_.first_sequence;
    manifest_.last_record = report_.last_sequence;
    return {};
  }

  const std::string data_, out_;
  Manifest manifest_;
  LogReport report_;
  uint64_t bytes_ = 0;
  bool has_keys_ = false;
  std::string without_plan_;
};

// --- restore ---

Result<Manifest> ReadManifest(const std::string& dir) {
  const std::string path = dir + '/' + kManifestName;
  if (!fs::exists(path)) return Error{ErrorCode::kInvalid, dir + " is no whole backup: it has no manifest"};
  return ParseManifest(ReadText(path), path);
}

Status CheckedCopy(const std::string& from, const std::string& to, const Manifest::File& file, const std::function<void(uint64_t)>& on_copied) {
  const fs::path path(file.path);
  if (Status made = RealDisk().MakeDir((fs::path(to) / path.parent_path()).string()); !made.ok()) return made;
  const auto copied = CopyFile(from, to, file.path, UINT64_MAX, on_copied);
  if (!copied.ok()) return copied.error();
  if (copied->bytes == file.bytes && ToHex(copied->sha256) == file.sha256) return {};
  return Error{ErrorCode::kCorrupt, fmt::format("{}/{}: not what the manifest says: {} bytes of {}, SHA-256 {} and not {}", from, file.path,
                                                copied->bytes, file.bytes, ToHex(copied->sha256), file.sha256)};
}

// Restores into a folder beside, which is renamed once it is complete.
Status Restore(const Manifest& manifest, const std::string& backup, const std::string& data) {
  const std::string fresh = data + ".restoring";
  std::error_code error;
  fs::remove_all(fresh, error);  // left by an interrupted restore
  if (Status made = RealDisk().MakeDir(fresh + "/log"); !made.ok()) return made;
  uint64_t total = 0, done = 0;
  for (const Manifest::File& file : manifest.files) total += file.bytes;
  {
    Progress progress("restoring");
    for (const Manifest::File& file : manifest.files) {
      Status copied = CheckedCopy(backup, fresh, file, [&](uint64_t bytes) {
        done += bytes;
        progress.Show(done, total, fmt::format("{} MiB", done >> 20));
      });
      if (!copied.ok()) return copied;
    }
  }
  LogReport report;
  if (Status whole = VerifyLog(RealDisk(), fresh + "/log", &report); !whole.ok()) return whole;
  if (report.last_sequence != manifest.last_record) {
    return Error{ErrorCode::kCorrupt, fmt::format("{}: the log ends at record {}, and the manifest says {}", backup, report.last_sequence, manifest.last_record)};
  }
  if (Status synced = SyncFolders(fresh); !synced.ok()) return synced;
  fs::rename(fresh, data, error);
  if (error) return Error{ErrorCode::kIo, fmt::format("{}: cannot be renamed to {}: {}", fresh, data, error.message())};
  if (!manifest.plan.empty()) WritePlanNote(data, data + '/' + manifest.plan);
  return SyncFolders(data);
}

int CodeOf(const Error& error) { return error.code == ErrorCode::kInvalid ? kExitInvalid : kExitFailed; }

}  // namespace

void BackupOptions(CLI::App* app) {
  app->add_option("--data", backup_settings.data, "the data folder of `attune serve`; it may be in use")->required();
  app->add_option("--out", backup_settings.out, "the folder to make: missing, or empty")->required();
  app->add_option("--plan", backup_settings.plan, "the plan to keep with it (default: the one that served this folder last)");
}

int RunBackup() {
  backup_settings.data = WithoutSlash(backup_settings.data);
  backup_settings.out = WithoutSlash(backup_settings.out);
  if (!fs::is_directory(backup_settings.data + "/log")) return Complain(backup_settings.data + " is no data folder", kExitInvalid);
  if (!IsFree(backup_settings.out)) return Complain(backup_settings.out + " is there already: a backup goes to a folder of its own", kExitInvalid);
  Backup backup(backup_settings.data, backup_settings.out);
  if (Status done = backup.Run(); !done.ok()) {
    const bool damage = done.error().code == ErrorCode::kCorrupt;
    return Complain(fmt::format("{}; {} is no whole backup{}", done.error().message, backup_settings.out,
                                damage ? "; `attune verify` of the stopped server's folder says all that is damaged" : ""),
                    CodeOf(done.error()));
  }
  backup.Summarise();
  return kExitDone;
}

void RestoreOptions(CLI::App* app) {
  app->add_option("backup", backup_settings.backup, "a folder that `attune backup` made")->required();
  app->add_option("--data", backup_settings.data, "the data folder to make: missing, or empty")->required();
}

int RunRestore() {
  backup_settings.backup = WithoutSlash(backup_settings.backup);
  backup_settings.data = WithoutSlash(backup_settings.data);
  if (!IsFree(backup_settings.data)) return Complain(backup_settings.data + " is there already: a backup is restored to a folder of its own", kExitInvalid);
  const auto manifest = ReadManifest(backup_settings.backup);
  if (!manifest.ok()) return Complain(manifest.error().message, CodeOf(manifest.error()));
  if (Status done = Restore(*manifest, backup_settings.backup, backup_settings.data); !done.ok()) {
    std::error_code ignored;
    fs::remove_all(backup_settings.data + ".restoring", ignored);
    return Complain(done.error().message + "; nothing was restored", CodeOf(done.error()));
  }
  fmt::print("{} records ({} to {}) of {}\n", manifest->last_record == 0 ? 0 : manifest->last_record - manifest->first_record + 1,
             manifest->first_record, manifest->last_record, manifest->created);
  fmt::print("attune serve --plan {} --data {}\n", manifest->plan.empty() ? "PLAN" : backup_settings.data + '/' + manifest->plan, backup_settings.data);
  return kExitDone;
}

}  // namespace attune

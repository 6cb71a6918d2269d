// attune verify: whether a data folder is undamaged, and whether its state matches its log.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ctime>
#include <filesystem>

#include "access/key_file.h"
#include "access/keys.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/plan_input.h"
#include "dead_letter/letter_check.h"
#include "log/file/data_lock.h"
#include "log/file/log_folder.h"
#include "log/file/recovery.h"
#include "log/file/verify.h"
#include "server/plan_note.h"
#include "shard/state_check.h"

namespace attune {
namespace {

struct VerifySettings {
  std::string data;
  std::string server;
  std::string plan;
  bool quick = false;
  bool repair = false;
} verify_settings;

// `state.damaged-20260301T100000Z`
std::string DamagedName(const std::string& path) {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc);
  return fmt::format("{}.damaged-{}", path, text);
}

Status SyncFolder(const std::string& dir) { return RealDisk().SyncDir(dir); }

class Verify {
 public:
  explicit Verify(std::string data) : data_(std::move(data)) {}

  int Run() {
    if (!CheckLog()) return kExitFailed;
    // The state can only be compared with a log that can be read to its end; a repair made it readable.
    if (!CheckKeys() || !CheckStore()) return kExitFailed;
    fmt::print("{}\n", damages_ > 0 ? fmt::format("{} damages", damages_) : repaired_ ? "repaired" : "clean");
    if (damages_ > 0 && !verify_settings.repair) fmt::print("`attune verify {} --repair` keeps what is whole\n", data_);
    return damages_ > 0 ? kExitFailed : kExitDone;
  }

 private:
  // Counts a damage and prints it.
  void Damage(const std::string& line) {
    ++damages_;
    fmt::print("{}\n", line);
  }
  // Reports an error that ends the check.
  bool Fail(const Error& error) {
    Complain(error.message, kExitFailed);
    return false;
  }

  std::string log_dir() const { return data_ + "/log"; }
  std::string state_dir() const { return data_ + "/state"; }

  bool CheckLog() {
    Status read = VerifyLog(RealDisk(), log_dir(), &log_);
    if (!read.ok() && read.error().code != ErrorCode::kCorrupt) return Fail(read.error());
    for (const std::string& line : log_.found) Damage(line);
    if (log_.damages > log_.found.size()) fmt::print("and {} more\n", log_.damages - log_.found.size());
    damages_ += log_.damages - log_.found.size();
    fmt::print("log: {} files, {} records{}, {} bytes of them\n", log_.files, log_.records,
               log_.records > 0 ? fmt::format(" ({} to {})", log_.first_sequence, log_.last_sequence) : "", log_.payload_bytes);
    if (log_.holes > 0) fmt::print("log: {} holes, left by earlier repairs\n", log_.holes);
    if (log_.torn_bytes > 0) fmt::print("log: {} bytes of a write that was cut, never acknowledged; the next start cuts them\n", log_.torn_bytes);
    return log_.damages == 0 || !verify_settings.repair || RepairLog();
  }

  bool RepairLog() {
    const auto repaired = RecoverLog(RealDisk(), log_dir(), true);
    if (!repaired.ok()) return Fail(repaired.error());
    repaired_ = true;
    damages_ = 0;
    fmt::print("log: repaired: {} holes over {} damaged bytes, which were copied to {}/damaged-*\n", repaired->holes, repaired->damaged_bytes, log_dir());
    for (const LostRecords& lost : repaired->lost) {
      fmt::print("log: lost: {}\n", lost.first == lost.last ? fmt::format("record {}", lost.first) : fmt::format("records {} to {}", lost.first, lost.last));
    }
    if (repaired->lost.empty()) fmt::print("log: lost: no record that others follow; what was behind record {} is not known\n", repaired->last_sequence);
    const Status read = VerifyLog(RealDisk(), log_dir(), &log_);
    return read.ok() || Fail(read.error());
  }

  bool CheckKeys() {
    const auto keys = ReadKeyFile(KeyFilePath(data_));
    if (keys.ok()) return true;
    if (keys.error().code != ErrorCode::kCorrupt) return Fail(keys.error());
    Damage(keys.error().message);
    key_file_damaged_ = true;
    return true;
  }

  bool CheckStore() {
    if (!std::filesystem::exists(state_dir() + "/CURRENT")) {
      fmt::print("state: there is none; the next start builds it from the log\n");
      return !key_file_damaged_ || !verify_settings.repair || MoveKeysAside();
    }
    auto store = Store::Open(state_dir(), {.read_only = true});
    if (!store.ok() && store.error().code == ErrorCode::kInvalid) return Fail(store.error());
    const uint64_t before = damages_;
    if (!store.ok()) {
      Damage(store.error().message);
      return !verify_settings.repair || Rebuild(nullptr);
    }
    if (Status blocks = (*store)->Verify(); !blocks.ok()) Damage(blocks.error().message);
    if (!CompareState(**store)) return false;
    if (log_.damages == 0 && !CheckDeadLetters(**store)) return false;
    if (verify_settings.repair && damages_ > before) return Rebuild(store->get());
    if (verify_settings.repair && key_file_damaged_) return WriteKeys(**store);
    return true;
  }

  // Whether the check was completed.
  bool CompareState(const Store& store) {
    if (verify_settings.plan.empty()) {
      auto noted = ReadPlanNote(data_);
      if (!noted.ok()) return Fail(noted.error());
      verify_settings.plan = std::move(noted).value();
    }
    const auto plan = verify_settings.plan.empty() ? nullptr : LoadPlanOrComplain(verify_settings.plan);
    if (!plan) {
      fmt::print("state: not compared with the log: {}; give the plan with --plan\n",
                 verify_settings.plan.empty() ? "the folder does not say which plan served it" : "the plan that served it last cannot be used");
      return true;
    }
    StateCheckOptions options;
    LogFolder log(log_dir());
    options.log = &log;
    options.first_sequence = log_.records > 0 ? log_.first_sequence : 1;
    options.last_sequence = log_.last_sequence;
    options.quick = verify_settings.quick || log_.damages > 0;
    Progress progress("state and log");
    options.on_progress = [&](uint64_t done, uint64_t total) { progress.Show(done, total, fmt::format("{} of {} records", done, total)); };
    StateReport report;
    const Status checked = CheckState(store, Program::Compile(plan), options, &report);
    progress.Clear();
    for (const std::string& line : report.found) Damage(state_dir() + ": " + line);
    damages_ += report.damages - report.found.size();
    if (!checked.ok()) {
      if (checked.error().code == ErrorCode::kInvalid) return Fail(checked.error());
      Damage(checked.error().message);
      return true;
    }
    const char* how = options.quick || options.first_sequence > 1 ? "read, not compared with the log" : "compared with the log";
    if (report.other_plan) {
      fmt::print("state: of another plan than {}, or of an older program; the next start rebuilds it from the log\n", verify_settings.plan);
    } else {
      fmt::print("state: {} users, {} memberships, {} records in their histories, {}, up to record {}\n", report.users, report.memberships,
                 report.index_entries, how, report.last_position);
    }
    fmt::print("outbox: {} effects{}\n", report.effects,
               report.other_effects == 0 ? "" : fmt::format(", {} of them not as the log gives them: told under another plan, unless the state is damaged", report.other_effects));
    return true;
  }

  // Checks that every stored dead letter belongs to a record of the log.
  bool CheckDeadLetters(const Store& store) {
    LogFolder log(log_dir());
    const auto check = CheckLetters(store, &log, std::max<uint64_t>(1, log_.first_sequence), log_.last_sequence, [&](std::string_view name) {
      Damage(fmt::format("{}: the dead letter {} is of no record of the log", state_dir(), name));
    });
    if (!check.ok()) return Fail(check.error());
    if (!check->store.ok()) Damage(check->store.error().message);
    fmt::print("dead letters: {} kept, which came again {} times; {} in the log\n", check->kept, check->repeats, check->logged);
    return true;
  }

  // Moves the state aside, and with it what is neither in the log nor in a file: so the keys are written to their file
  // first.
  bool Rebuild(const Store* store) {
    if (store && !WriteKeys(*store)) return false;
    if (!store && !std::filesystem::exists(KeyFilePath(data_))) {
      fmt::print("keys: cannot be read from the state; the next start makes new ones and prints them\n");
    }
    if (!store && key_file_damaged_ && !MoveKeysAside()) return false;
    const std::string aside = DamagedName(state_dir());
    std::error_code error;
    std::filesystem::rename(state_dir(), aside, error);
    if (error) return Fail({ErrorCode::kIo, fmt::format("{}: cannot be renamed: {}", state_dir(), error.message())});
    if (Status synced = SyncFolder(data_); !synced.ok()) return Fail(synced.error());
    fmt::print("state: moved to {}; the next start rebuilds it from the log\n", aside);
    fmt::print("state: lost: the sizes of segments as time went by\n");
    repaired_ = true;
    damages_ = 0;
    return true;
  }

  bool WriteKeys(const Store& store) {
    const auto keys = StoredKeys(store);
    if (!keys.ok()) {
      fmt::print("keys: cannot be read from the state: {}\n", keys.error().message);
      return !key_file_damaged_ || MoveKeysAside();
    }
    const auto beside = ReadKeyFile(KeyFilePath(data_));
    if (beside.ok() && (!beside->empty() || keys->empty())) return true;
    if (keys->empty()) return MoveKeysAside();
    if (Status written = WriteKeyFile(KeyFilePath(data_), *keys); !written.ok()) return Fail(written.error());
    fmt::print("keys: {} written to {}\n", keys->size(), KeyFilePath(data_));
    if (key_file_damaged_) --damages_;
    repaired_ = true;
    return true;
  }

  bool MoveKeysAside() {
    const std::string path = KeyFilePath(data_), aside = DamagedName(path);
    std::error_code error;
    std::filesystem::rename(path, aside, error);
    if (error) return Fail({ErrorCode::kIo, fmt::format("{}: cannot be renamed: {}", path, error.message())});
    fmt::print("keys: moved to {}; the next start makes new ones and prints them\n", aside);
    --damages_;
    repaired_ = true;
    return true;
  }

  const std::string data_;
  LogReport log_;
  uint64_t damages_ = 0;
  bool repaired_ = false;
  bool key_file_damaged_ = false;
};

}  // namespace

void VerifyOptions(CLI::App* app) {
  auto* data = app->add_option("data,--data", verify_settings.data, "the data folder of `attune serve`, which has been stopped");
  app->add_option("--server", verify_settings.server, "refused: a running server's folder cannot be verified")->excludes(data);
  app->add_option("--plan", verify_settings.plan, "the plan (default: the one that served this folder last)");
  app->add_flag("--quick", verify_settings.quick, "all checksums, and that the state can be read; it is not held to the log");
  app->add_flag("--repair", verify_settings.repair,
                "replace damaged records by holes (their bytes are kept beside), and move a state that is damaged or disagrees aside");
}

int RunVerify() {
  if (!verify_settings.server.empty()) {
    return Complain("--server: verify reads the files of a stopped server. Stop it and run `attune verify DIR` on its machine; or, "
                    "while it runs, `attune backup`, `attune restore` to another folder, and verify that",
                    kExitInvalid);
  }
  if (verify_settings.data.empty()) return Complain("expected DIR, the data folder of a stopped server", kExitInvalid);
  while (verify_settings.data.size() > 1 && verify_settings.data.back() == '/') verify_settings.data.pop_back();
  if (!std::filesystem::is_directory(verify_settings.data + "/log")) return Complain(verify_settings.data + " is no data folder", kExitInvalid);
  const auto lock = DataLock::Take(verify_settings.data);
  if (!lock.ok()) return Complain(lock.error().message, kExitFailed);
  return Verify(verify_settings.data).Run();
}

}  // namespace attune

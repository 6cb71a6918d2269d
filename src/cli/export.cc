// attune export: the accepted events of a data folder, or its dead letters, as lines of JSON. The folder may be in use.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "base/bytes.h"
#include "base/json.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/plan_input.h"
#include "cli/remote_server.h"
#include "history/history_line.h"
#include "history/history_run.h"
#include "identity/linked_ids.h"
#include "log/file/file_reader.h"
#include "log/record_type.h"

namespace attune {
namespace {

struct ExportSettings {
  std::string data;
  std::string server;
  std::string out = "-";
  std::string plan;
  std::string from;
  std::string to;
  bool dead_letters = false;
  bool envelope = false;
  bool duplicates = false;
} export_settings;

// The output: standard output, or a file that gets its name only once it is complete.
class Lines {
 public:
  explicit Lines(std::string path) : path_(std::move(path)) {
    if (path_ != "-") fd_ = open((path_ + ".part").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    failure_ = fd_ < 0 ? errno : 0;
  }
  ~Lines() {
    if (path_ == "-" || fd_ < 0) return;
    close(fd_);
    unlink((path_ + ".part").c_str());
  }

  std::string* buffer() { return &buffer_; }
  // Adds whole lines or parts of them. False when they could not be written.
  bool Add(std::string_view bytes) {
    buffer_ += bytes;
    return buffer_.size() < kBufferBytes || Flush();
  }
  // Ends the current line of the buffer. False when it could not be written.
  bool End() {
    buffer_ += '\n';
    return buffer_.size() < kBufferBytes || Flush();
  }
  bool Finish() {
    if (!Flush()) return false;
    if (path_ == "-") return true;
    if (fsync(fd_) != 0 || rename((path_ + ".part").c_str(), path_.c_str()) != 0) failure_ = errno;
    close(fd_);
    fd_ = -1;
    return failure_ == 0;
  }
  // A reader that closed the pipe, such as `head`, is not an error.
  bool reader_left() const { return failure_ == EPIPE; }
  std::string failure() const {
    return fmt::format("cannot write to {}: {}", path_ == "-" ? "standard output" : path_, std::strerror(failure_));
  }
  bool ok() const { return failure_ == 0; }

 private:
  static constexpr size_t kBufferBytes = 256 << 10;

  bool Flush() {
    std::string_view rest = buffer_;
    while (!rest.empty() && failure_ == 0) {
      const ssize_t written = write(fd_, rest.data(), rest.size());
      if (written >= 0) {
        rest.remove_prefix(static_cast<size_t>(written));
      } else if (errno != EINTR) {
        failure_ = errno;
      }
    }
    buffer_.clear();
    return failure_ == 0;
  }

  const std::string path_;
  int fd_ = STDOUT_FILENO;
  int failure_ = 0;
  std::string buffer_;
};

// A bound of the export: a record's number, or a received time.
struct Bound {
  std::optional<uint64_t> sequence;
  std::optional<Millis> received;
};

bool ReadBound(const char* option, const std::string& text, Bound* bound) {
  if (text.empty()) return true;
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) {
    bound->sequence = number;
    return true;
  }
  bound->received = ParseRfc3339(text);
  if (bound->received) return true;
  Complain(
      fmt::format("{}: expected a record's number, or a time such as 2026-03-01T10:00:00Z, found \"{}\"", option, text),
      kExitInvalid);
  return false;
}

class Export {
 public:
  Export(Bound from, Bound to, std::string log_dir, Lines* lines)
      : from_(from), to_(to), log_dir_(std::move(log_dir)), lines_(*lines) {}

  // Exports the dead letters.
  Status DeadLetters() {
    return ForEachRecord("dead letters", std::nullopt, [&](const RecordView& record) {
      if (record.type != static_cast<uint8_t>(RecordType::kDeadLetter) || !Wanted(record.sequence, std::nullopt))
        return true;
      if (export_settings.envelope) *lines_.buffer() += fmt::format("{{\"sequence\":{},\"dead_letter\":", record.sequence);
      lines_.buffer()->append(record.payload);
      if (export_settings.envelope) *lines_.buffer() += '}';
      ++written_;
      return lines_.End();
    });
  }

  // Exports the events that the engine accepts under the plan. A first pass finds the ids that may come to be one
  // person's.
  Status Events(const std::shared_ptr<const Plan>& plan) {
    LinkedIds linked;
    Status read = ForEachRecord("who is who", std::nullopt, [&](const RecordView& record) {
      last_ = record.sequence;
      if (record.type == static_cast<uint8_t>(RecordType::kLinking)) linked.TakeIn(DecodeEvent(record.payload)->head);
      return true;
    });
    if (!read.ok() || last_ == 0) return read;
    TrackingPlan admission(*plan);
    HistoryRun run(Program::Compile(plan), {}, {[](const Transition&) {}, [](const TriggerFiring&) {}, nullptr},
                   [&](std::string_view id) { return linked.Contains(id); });
    return ForEachRecord("events", last_, [&](const RecordView& record) {
      if (record.type == static_cast<uint8_t>(RecordType::kUndoMerge)) {
        ByteReader in(record.payload);
        const Millis at = in.I64();
        run.UndoMerge(in.String(), at);
        ++undone_;
      }
      return !HoldsEvent(record.type) || Event(record, run.Apply(record.payload) == Applied::kDuplicate, &admission);
    });
  }

  void Summarise() const {
    fmt::print(stderr, "{} {}", written_, export_settings.dead_letters ? "dead letters" : "events");
    if (duplicates_ > 0)
      fmt::print(stderr, ", {} duplicates {}", duplicates_, export_settings.duplicates ? "among them" : "left out");
    if (completed_ > 0)
      fmt::print(stderr, ", {} with an id, a type or a time that the client had not sent", completed_);
    fmt::print(stderr, "\n");
    if (undone_ > 0) {
      fmt::print(stderr,
                 "attune: {} merges of histories were undone by hand, which lines cannot say: a replay merges them\n",
                 undone_);
    }
  }

 private:
  bool Wanted(uint64_t sequence, std::optional<Millis> received) const {
    if (from_.sequence && sequence < *from_.sequence) return false;
    if (to_.sequence && sequence > *to_.sequence) return false;
    if (received && from_.received && *received < *from_.received) return false;
    return !(received && to_.received && *received > *to_.received);
  }

  bool Event(const RecordView& record, bool duplicate, TrackingPlan* admission) {
    const auto event = DecodeEvent(record.payload);
    if (!event.ok() || !Wanted(record.sequence, event->head.received)) return true;
    duplicates_ += duplicate;
    if (duplicate && !export_settings.duplicates) return true;
    ++written_;
    std::string* const out = lines_.buffer();
    if (export_settings.envelope) {
      *out += fmt::format("{{\"sequence\":{},\"received\":\"{}\",\"time\":\"{}\",\"user\":", record.sequence,
                          FormatRfc3339(event->head.received), FormatRfc3339(event->head.time));
      AppendJsonString(event->head.user, out);
      *out += ",\"messageId\":";
      AppendJsonString(event->head.id, out);
      if (event->head.clock_ignored) *out += ",\"clock_ignored\":true";
      *out += fmt::format(",\"duplicate\":{},\"event\":", duplicate);
      for (const char c : event->json) *out += c == '\n' || c == '\r' ? ' ' : c;
      *out += '}';
    } else {
      completed_ += AppendHistoryLine(*event, admission, out);
    }
    return lines_.End();
  }

  // Without `last`: up to the end of the log. Stops early, with success, when fn returns false.
  Status ForEachRecord(const std::string& what, std::optional<uint64_t> last, const std::function<bool(const RecordView&)>& fn) {
    Progress progress(what);
    auto reader = FileReader::Open(log_dir_, 1, {.last_sequence = last});
    if (!reader.ok()) return reader.error();
    RecordView record;
    while (true) {
      const auto more = reader->Next(&record);
      if (!more.ok()) return more.error();
      if (!*more) return {};
      if ((record.sequence & 0xFFF) == 0)
        progress.Show(record.sequence, last.value_or(0), fmt::format("{} records", record.sequence));
      if (!fn(record)) return {};
    }
  }

  const Bound from_, to_;
  const std::string log_dir_;
  Lines& lines_;
  uint64_t last_ = 0;
  uint64_t written_ = 0, duplicates_ = 0, completed_ = 0, undone_ = 0;
};

// The dead letters of a running server, as its API lists them.
int ExportByServer() {
  const ExportSettings& asked = export_settings;
  if (!asked.dead_letters) {
    return Complain("--server: a server exports only its dead letters (--dead-letters); export its events with --data DIR "
                    "on its machine, while it runs or not",
                    kExitInvalid);
  }
  if (!asked.plan.empty() || !asked.from.empty() || !asked.to.empty() || asked.envelope) {
    return Complain("--plan, --from, --to and --envelope are for --data", kExitInvalid);
  }
  int code = kExitDone;
  auto server = RemoteServer::Connect(asked.server, &code);
  if (!server) return code;
  Lines lines(asked.out);
  if (!lines.ok()) return Complain(lines.failure(), kExitFailed);
  int64_t letters = 0;
  const auto answer = server->Stream("/v1/dead-letters/export", {}, [&](std::string_view piece) {
    letters += std::count(piece.begin(), piece.end(), '\n');
    return lines.Add(piece);
  });
  if (!answer.ok() || answer->status != 200) return server->Complain(answer);
  if (!lines.ok() || !lines.Finish()) return lines.reader_left() ? kExitDone : Complain(lines.failure(), kExitFailed);
  fmt::print(stderr, "{} dead letters\n", letters);
  return kExitDone;
}

}  // namespace

void ExportOptions(CLI::App* app) {
  AddDataAndServer(app, &export_settings.data, &export_settings.server);
  app->add_option("--out", export_settings.out, "the file to write; - is standard output")->capture_default_str();
  app->add_option("--plan", export_settings.plan,
                  "the plan that says what a duplicate is (default: the one that served this folder last)");
  app->add_option("--from", export_settings.from, "the first record's number, or the time from which on events were received");
  app->add_option("--to", export_settings.to, "the last record's number, or the time until which they were");
  auto* letters =
      app->add_flag("--dead-letters", export_settings.dead_letters, "what was refused, in place of what was accepted");
  app->add_flag("--duplicates", export_settings.duplicates, "with the events that the engine dropped as duplicates")
      ->excludes(letters);
  app->add_flag("--envelope", export_settings.envelope,
                "each within an object that says its record's number, when it was received, and what was made of it");
}

int RunExport() {
  if (!HasDataOrServer(export_settings.data, export_settings.server)) return kExitInvalid;
  if (!export_settings.server.empty()) return ExportByServer();
  Bound from, to;
  if (!ReadBound("--from", export_settings.from, &from) || !ReadBound("--to", export_settings.to, &to)) return kExitInvalid;
  if (export_settings.dead_letters && (from.received || to.received)) {
    return Complain("--from and --to are numbers of records with --dead-letters", kExitInvalid);
  }
  if (!std::filesystem::is_directory(export_settings.data + "/log"))
    return Complain(export_settings.data + " is no data folder", kExitInvalid);
  std::shared_ptr<const Plan> plan;
  if (!export_settings.dead_letters) {
    if (!FindPlanOfFolder(export_settings.data, &export_settings.plan)) return kExitInvalid;
    plan = LoadPlanOrComplain(export_settings.plan);
    if (!plan) return kExitInvalid;
  }
  Lines lines(export_settings.out);
  if (!lines.ok()) return Complain(lines.failure(), kExitFailed);
  Export exported(from, to, export_settings.data + "/log", &lines);
  const Status read = export_settings.dead_letters ? exported.DeadLetters() : exported.Events(plan);
  if (!read.ok()) return Complain(read.error().message, kExitFailed);
  if (!lines.Finish()) return lines.reader_left() ? kExitDone : Complain(lines.failure(), kExitFailed);
  exported.Summarise();
  return kExitDone;
}

}  // namespace attune

// attune replay: runs history files through the engine and writes the results. One thread reads and admits; the others,
// each with a share of the shards, apply.
#include <fmt/format.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "base/progress.h"
#include "cli/command.h"
#include "cli/plan_input.h"
#include "cli/replay_output.h"
#include "engine/output.h"
#include "history/history_file.h"
#include "history/history_run.h"
#include "identity/linked_ids.h"
#include "ingest/tracking_plan.h"
#include "log/shard_of.h"

namespace attune {
namespace {

struct ReplaySettings {
  std::string plan;
  std::vector<std::string> events;
  std::string out;
  std::string csv;
  std::string order = "arrival";
  std::string until;
  std::vector<std::string> at;
  int threads = 0;
} replay_settings;

constexpr size_t kChunkBytes = 128 << 10;  // size of the chunks passed to an applier
constexpr size_t kMaxChunks = 16;          // queued chunks of an applier; at the limit the reader waits

// A thread with an engine for its users.
class Applier {
 public:
  Applier(std::shared_ptr<const Program> program, const std::vector<Millis>& at)
      : unpacker_(program), output_(program), run_(program, at, MakeSink()), thread_([this] { Run(); }) {}

  // Queues a chunk; waits while the queue is full.
  void Push(std::string chunk) {
    std::unique_lock hold(mutex_);
    room_.wait(hold, [&] { return chunks_.size() < kMaxChunks; });
    chunks_.push_back(std::move(chunk));
    work_.notify_one();
  }
  void Finish(Millis until) {
    {
      const std::lock_guard hold(mutex_);
      until_ = until;
      ended_ = true;
    }
    work_.notify_one();
  }
  // Waits until everything is applied and sorted.
  void Join() { thread_.join(); }
  ReplayOutput& output() { return output_; }
  size_t users() { return run_.user_count(); }
  uint64_t late = 0;
  uint64_t duplicates = 0;

 private:
  HistoryRun::Sink MakeSink() {
    return {[this](const Transition& transition) { output_.Add(transition); },
            [this](const TriggerFiring& firing) { output_.Add(firing); },
            [this](Millis at, const UserState& user) {
              output_.AddValues(at, user, ValuesJson(user, at, &run_.engine()));
            }};
  }

  void Run() {
    while (true) {
      std::string chunk;
      {
        std::unique_lock hold(mutex_);
        work_.wait(hold, [&] { return ended_ || !chunks_.empty(); });
        if (chunks_.empty()) break;
        chunk = std::move(chunks_.front());
        chunks_.pop_front();
      }
      room_.notify_one();
      ByteReader in(chunk), ahead(chunk);
      for (size_t i = 0; i < Engine::kExpect; ++i) Expect(&ahead);
      while (in.remaining() > 0) {
        Expect(&ahead);
        ByteReader item(in.String());
        const Record record = unpacker_.Unpack(&item);
        const Applied applied = run_.Apply(record, item.String());
        late += applied == Applied::kLate;
        duplicates += applied == Applied::kDuplicate;
      }
    }
    run_.Finish(until_);
    output_.Sort(run_.engine().users());
  }

  // Prefetches the user of the next item.
  void Expect(ByteReader* chunk) {
    if (chunk->remaining() > 0) run_.Expect(ByteReader(chunk->String()).String());
  }

  RecordUnpacker unpacker_;
  ReplayOutput output_;
  HistoryRun run_;
  std::mutex mutex_;
  std::condition_variable work_, room_;
  std::deque<std::string> chunks_;
  bool ended_ = false;
  Millis until_ = 0;
  std::thread thread_;
};

class Replay {
 public:
  Replay(std::shared_ptr<const Plan> plan, std::vector<Millis> at, int threads)
      : plan_(std::move(plan)),
        program_(Program::Compile(plan_)),
        records_(program_),
        admission_(*plan_),
        at_(std::move(at)),
        threads_(threads) {}

  // Finds the ids of a file that may be merged. Call it for all files before the first is applied.
  Status FindLinks(const std::string& path, const CsvMapping* mapping) {
    auto opened = HistoryReader::Open(path, mapping);
    if (!opened.ok()) return opened.error();
    HistoryReader& reader = **opened;
    Progress progress(std::filesystem::path(path).filename().string() + ": who is who");
    HistoryEvent event;
    for (uint64_t read = 0; reader.Next(&event); ++read) {
      if ((read & 0xFFFF) == 0) progress.Show(reader.bytes_read(), reader.total(), "");
      if (event.dead || !LinkedIds::MayLink(event.json)) continue;
      const Admission admission = admission_.Admit(event.json, OriginOf(event));
      if (admission.ok()) linked_.TakeIn(admission.head);
    }
    return reader.status();
  }

  // Starts the appliers. `links_known`: FindLinks has read every file; otherwise one thread applies and keeps all
  // histories.
  void Begin(bool links_known) {
    links_known_ = links_known;
    if (!links_known) threads_ = 1;
    buffers_.resize(static_cast<size_t>(threads_));
    for (int i = 0; i < threads_; ++i) {
      appliers_.push_back(std::make_unique<Applier>(program_, at_));
    }
  }

  // Reads a file to its end and admits its events.
  Status ReadFile(const std::string& path, const CsvMapping* mapping, std::ofstream* dead_letters) {
    auto opened = HistoryReader::Open(path, mapping);
    if (!opened.ok()) return opened.error();
    HistoryReader& reader = **opened;
    Progress progress(path == "-" ? "standard input" : std::filesystem::path(path).filename().string());
    HistoryEvent event;
    while (reader.Next(&event)) {
      if (event.dead) {
        WriteLetter(*event.dead, dead_letters);
      } else {
        Admit(event, dead_letters);
      }
      if ((++read_ & 0xFFF) == 0) progress.Show(reader.bytes_read(), reader.total(), Rate());
    }
    if (reader.status().ok()) return {};
    return Error{reader.status().error().code, path + ": " + reader.status().error().message};
  }

  // Sorts the events read, if requested, and lets the appliers finish.
  void Finish(bool by_time, std::optional<Millis> until) {
    if (by_time) {
      std::stable_sort(sorted_.begin(), sorted_.end(), [](const Timed& a, const Timed& b) { return a.time < b.time; });
      for (const Timed& timed : sorted_) Hand(timed.shard, timed.bytes);
      sorted_.clear();
    }
    until_ = until.value_or(last_);
    for (size_t i = 0; i < appliers_.size(); ++i) {
      appliers_[i]->Push(std::exchange(buffers_[i], {}));
      appliers_[i]->Finish(until_);
    }
    for (const auto& applier : appliers_) {
      applier->Join();
      late_ += applier->late;
      duplicates_ += applier->duplicates;
      users_ += applier->users();
      transitions_ += applier->output().transitions();
      firings_ += applier->output().firings();
    }
  }

  // Returns the first file that could not be written; empty on success.
  std::string Write(const std::string& dir) {
    std::vector<ReplayOutput*> parts;
    for (const auto& applier : appliers_) parts.push_back(&applier->output());
    return ReplayOutput::Write(dir, parts);
  }

  void Summarise() const {
    const double seconds = Seconds();
    fmt::print("{} events of {} users in {:.2f} s ({:.0f} events/s): {} transitions, {} firings\n", accepted_, users_,
               seconds, static_cast<double>(accepted_) / std::max(seconds, 1e-9), transitions_, firings_);
    if (late_ > 0) fmt::print("  {} came late and were put at their time\n", late_);
    if (duplicates_ > 0) fmt::print("  {} were duplicates and dropped\n", duplicates_);
    if (dead_ > 0) fmt::print("  {} were refused, each with its reason in dead_letters.ndjson\n", dead_);
    for (const auto& [name, count] : unknown_) {
      fmt::print("  the plan does not name the event {} ({} times); it was kept\n", name, count);
    }
  }

  void set_by_time(bool by_time) { by_time_ = by_time; }

 private:
  struct Timed {
    Millis time;
    uint8_t shard;
    std::string bytes;
  };

  void WriteLetter(const DeadLetter& letter, std::ofstream* out) {
    *out << ToNdjson(letter) << '\n';
    ++dead_;
  }

  static Origin OriginOf(const HistoryEvent& event) {
    Origin origin;
    origin.source = event.source;
    origin.received = 0;
    origin.history = true;
    origin.file = true;
    return origin;
  }

  void Admit(const HistoryEvent& event, std::ofstream* dead_letters) {
    const Admission admission = admission_.Admit(event.json, OriginOf(event));
    if (!admission.ok()) return WriteLetter(*admission.dead, dead_letters);
    ++accepted_;
    if (!admission.known && (unknown_.size() < 50 || unknown_.contains(admission.head.name))) {
      ++unknown_[std::string(admission.head.name)];
    }
    last_ = std::max(last_, admission.head.time);
    // An item: the record, and the event's bytes if the run must keep them.
    encoded_.clear();
    if (!links_known_ || linked_.Contains(admission.head.user)) EncodeEvent(admission.head, admission.json, &encoded_);
    item_.Clear();
    PackRecord(records_.Read(admission.head, admission.json, &admission_.reader()), *program_, &item_);
    item_.String(encoded_);
    const uint8_t shard = ShardOf(linked_.RootOf(admission.head.user));
    if (by_time_) {
      sorted_.push_back({admission.head.time, shard, std::string(item_.view())});
    } else {
      Hand(shard, item_.view());
    }
  }

  void Hand(uint8_t shard, std::string_view bytes) {
    const size_t i = shard % appliers_.size();
    buffers_[i].reserve(kChunkBytes + bytes.size() + 16);
    ByteWriter out(std::move(buffers_[i]));
    out.String(bytes);
    buffers_[i] = out.Take();
    if (buffers_[i].size() >= kChunkBytes) appliers_[i]->Push(std::exchange(buffers_[i], {}));
  }

  double Seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(); }
  std::string Rate() const {
    return fmt::format("{} events, {:.0f} a second", accepted_,
                       static_cast<double>(accepted_) / std::max(Seconds(), 1e-9));
  }

  std::shared_ptr<const Plan> plan_;
  std::shared_ptr<const Program> program_;
  RecordReader records_;
  TrackingPlan admission_;
  std::vector<Millis> at_;
  int threads_;
  LinkedIds linked_;
  std::vector<std::unique_ptr<Applier>> appliers_;
  std::vector<std::string> buffers_;  // the chunk being filled for each applier
  std::vector<Timed> sorted_;
  std::string encoded_;
  ByteWriter item_;
  bool links_known_ = false;
  bool by_time_ = false;
  Millis last_ = kAlways;
  Millis until_ = 0;
  uint64_t read_ = 0, accepted_ = 0, dead_ = 0, late_ = 0, duplicates_ = 0, users_ = 0;
  size_t transitions_ = 0, firings_ = 0;
  std::map<std::string, uint64_t, std::less<>> unknown_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

bool ReadInstant(const std::string& option, const std::string& text, Millis* instant) {
  const auto parsed = ParseInstant(text);
  if (!parsed) {
    Complain(option + ": expected a time such as 2026-03-01T10:00:00Z or epoch milliseconds, found \"" + text + "\"",
             kExitInvalid);
    return false;
  }
  *instant = *parsed;
  return true;
}

}  // namespace

void ReplayOptions(CLI::App* app) {
  app->add_option("--plan", replay_settings.plan, "the plan: a YAML file, or a folder of them")->required();
  app->add_option("--events", replay_settings.events,
                  "history files: NDJSON (also .gz, .zst, .xz), - for standard input, or CSV with --csv")
      ->required();
  app->add_option("--out", replay_settings.out, "the folder for transitions, firings, values and dead letters")->required();
  app->add_option("--csv", replay_settings.csv, "a mapping (YAML) that says how rows become events");
  app->add_option("--order", replay_settings.order,
                  "arrival: as the files have it, with the rule for late events; time: sorted first")
      ->check(CLI::IsMember({"arrival", "time"}))
      ->capture_default_str();
  app->add_option("--until", replay_settings.until,
                  "let the clock run to this time after the last event (default: the last event's time)");
  app->add_option("--at", replay_settings.at, "write everyone's values at this instant (may be repeated)");
  app->add_option("--threads", replay_settings.threads, "threads that apply events (default: one for each core)");
}

int RunReplay() {
  std::optional<Millis> until;
  std::vector<Millis> at;
  if (!replay_settings.until.empty() && !ReadInstant("--until", replay_settings.until, &until.emplace())) return kExitInvalid;
  for (const std::string& text : replay_settings.at) {
    if (!ReadInstant("--at", text, &at.emplace_back())) return kExitInvalid;
  }
  const auto plan = LoadPlanOrComplain(replay_settings.plan);
  if (!plan) return kExitInvalid;
  std::unique_ptr<CsvMapping> mapping;
  if (!replay_settings.csv.empty()) {
    LoadedMapping loaded = LoadCsvMapping(replay_settings.csv);
    for (const Problem& problem : loaded.problems) fmt::print(stderr, "{}\n", ToText(problem));
    if (!loaded.mapping) return kExitInvalid;
    mapping = std::move(loaded.mapping);
  }
  std::error_code error;
  std::filesystem::create_directories(replay_settings.out, error);
  std::ofstream dead_letters(replay_settings.out + "/dead_letters.ndjson", std::ios::binary | std::ios::trunc);
  if (!dead_letters) return Complain("cannot write to the folder " + replay_settings.out, kExitFailed);
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  Replay replay(plan, at, std::clamp(replay_settings.threads > 0 ? replay_settings.threads : cores, 1, kShards));
  replay.set_by_time(replay_settings.order == "time");
  const bool twice = std::all_of(replay_settings.events.begin(), replay_settings.events.end(),
                                 [](const std::string& path) { return std::filesystem::is_regular_file(path); });
  for (const std::string& path : replay_settings.events) {
    if (twice && !replay.FindLinks(path, mapping.get()).ok()) break;  // ReadFile fails there again and reports it
  }
  replay.Begin(twice);
  Status status;
  for (const std::string& path : replay_settings.events) {
    if (!status.ok()) break;
    status = replay.ReadFile(path, mapping.get(), &dead_letters);
  }
  replay.Finish(replay_settings.order == "time", until);
  if (!status.ok()) {
    return Complain(status.error().message, status.error().code == ErrorCode::kIo ? kExitFailed : kExitInvalid);
  }
  std::string failed = replay.Write(replay_settings.out);
  dead_letters.close();
  if (!dead_letters) failed = replay_settings.out + "/dead_letters.ndjson";
  if (!failed.empty()) return Complain("cannot write " + failed, kExitFailed);
  replay.Summarise();
  return kExitDone;
}

}  // namespace attune

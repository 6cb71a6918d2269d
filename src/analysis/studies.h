// Runs studies (previews, suggestions, replays of dead letters), whose duration depends on the length of the history.
// Each runs on a separate thread at low priority, so that requests have precedence. Only one runs at a time, since most
// keep state for every user.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/study_progress.h"

namespace attune {

// Any thread.
class Studies {
 public:
  // Computes the outcome. Returns early, with any outcome, once the progress is cancelled.
  using Work = std::function<StudyOutcome(StudyProgress*)>;
  // Called once on the study's thread.
  using Done = std::function<void(StudyOutcome)>;

  struct View {
    std::string id;
    uint64_t done = 0;
    uint64_t total = 0;
    std::optional<StudyOutcome> outcome;  // nullopt: it is running
  };

  Studies();
  // Calls Stop.
  ~Studies();

  // Starts a study. nullopt: another study is running, or Stop was called. `done`, if given, is called with the
  // outcome. Otherwise the outcome is kept while it is among the last kKept. The id names the study in the calls below.
  // The outcome of a cancelled study is a failure with kDraining.
  std::optional<std::string> Begin(Work work, Done done = nullptr);
  // nullopt: no study with this id is running or kept.
  std::optional<View> Find(std::string_view id) const;
  // Ends a study if it is running, and drops its outcome. False: there is none with this id.
  bool Cancel(std::string_view id);
  // Estimated seconds until the running study is done; at least 1, at most 60.
  int SecondsLeft() const;
  // Cancels the running study and waits for it. Later calls of Begin fail.
  void Stop();

  static constexpr size_t kKept = 8;

 private:
  struct Study {
    std::string id;
    StudyProgress progress;
    std::chrono::steady_clock::time_point began;
    bool kept = false;
    std::optional<StudyOutcome> outcome;  // set once the study has ended, if it is kept
  };

  void Run(const std::shared_ptr<Study>& study, const Work& work, const Done& done);

  const std::string first_id_;  // ids of different processes differ
  mutable std::mutex mutex_;
  uint64_t begun_ = 0;
  bool stopped_ = false;
  std::shared_ptr<Study> running_;
  std::deque<std::shared_ptr<Study>> studies_;  // those that are kept, the oldest first
  std::thread thread_;
};

}  // namespace attune

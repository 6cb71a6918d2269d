// Runs studies (previews, suggestions, replays of dead letters), which may take as long as the history is long. Each is
// computed on a thread of its own, at low priority, so that serving goes on; one at a time, as most keep state for
// every user.
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
  // Computes the outcome; ends early, with any outcome, once the progress is cancelled.
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
  // Stop().
  ~Studies();

  // Begins to compute; nullopt when another study is running, or after Stop. With `done` that is called with the
  // outcome; without it the outcome is kept, for as long as it is among the last kKept. The id names the study in the
  // calls below. The outcome of a study that was cancelled is a failure with kDraining.
  std::optional<std::string> Begin(Work work, Done done = nullptr);
  // nullopt: there is no study with this id, or no longer.
  std::optional<View> Find(std::string_view id) const;
  // Ends a running study, and forgets its outcome. False: there is none with this id.
  bool Cancel(std::string_view id);
  // Estimated seconds until the running study is done; at least 1, at most 60.
  int SecondsLeft() const;
  // Cancels the running study, waits for it, and begins nothing more.
  void Stop();

  static constexpr size_t kKept = 8;

 private:
  struct Study {
    std::string id;
    StudyProgress progress;
    std::chrono::steady_clock::time_point began;
    bool kept = false;
    std::optional<StudyOutcome> outcome;  // of one that has ended and is kept
  };

  void Run(const std::shared_ptr<Study>& study, const Work& work, const Done& done);

  const std::string first_id_;  // ids of different processes differ
  mutable std::mutex mutex_;
  uint64_t begun_ = 0;
  bool stopped_ = false;
  std::shared_ptr<Study> running_;
  std::deque<std::shared_ptr<Study>> studies_;  // those whose outcome is kept, the oldest first
  std::thread thread_;
};

}  // namespace attune

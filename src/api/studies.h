// Studies: questions over the whole stored history (previews, suggestions), which take as long as the history is long.
// Each is computed on a thread of its own, at low priority, so that serving goes on; one at a time, as each keeps state
// for every user.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "history/stored_history.h"
#include "http/message.h"

namespace attune {

// Any thread.
class Studies {
 public:
  // Computes the answer; ends early, with any answer, once the progress says that it is cancelled.
  using Work = std::function<Response(StudyProgress*)>;

  Studies();
  // Stop().
  ~Studies();

  // Begins to compute; nullopt when another study is under way, or after Stop. With `answer` that is called with the
  // answer, on the study's thread; otherwise the answer is kept, for as long as it is among the last kKept. The id names
  // the study in what follows.
  std::optional<std::string> Begin(Work work, std::function<void(Response)> answer = nullptr);
  // {"id","state","done","total","result","problem"}: state is running, done or failed. nullopt: there is none with this
  // id, or no longer.
  std::optional<std::string> Show(std::string_view id) const;
  // Ends a study that is under way, and forgets its answer. False: there is none with this id.
  bool Cancel(std::string_view id);
  // Seconds until the study under way may be done, as far as its pace tells; at least 1, at most 60.
  int SecondsLeft() const;
  // Cancels what is under way, waits for it, and begins nothing more.
  void Stop();

  static constexpr size_t kKept = 8;

 private:
  struct Study {
    std::string id;
    StudyProgress progress;
    std::chrono::steady_clock::time_point began;
    bool ended = false;
    bool kept = false;
    Response answer;
  };

  void Run(const std::shared_ptr<Study>& study, const Work& work, const std::function<void(Response)>& answer);

  const std::string first_id_;  // ids of different processes differ
  mutable std::mutex mutex_;
  uint64_t begun_ = 0;
  bool stopped_ = false;
  std::shared_ptr<Study> running_;
  std::deque<std::shared_ptr<Study>> studies_;  // whose answers are or will be kept, the oldest first
  std::thread thread_;
};

}  // namespace attune

// What a replay has to tell, kept small while it runs, put in order and into words at its end.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"

namespace attune {

// Of the users of one engine.
class ReplayOutput {
 public:
  explicit ReplayOutput(std::shared_ptr<const Program> program) : program_(std::move(program)) {}

  void Add(const Transition& transition);
  void Add(TriggerFiring firing);
  void AddValues(Millis at, const UserState& user, std::string line);

  // Puts everything in the order of the files: by instant, user and name; what these do not tell apart stays as it
  // came. `users` are the engine's, which must outlive this. Nothing is added afterwards.
  void Sort(const std::deque<UserState>& users);

  size_t transitions() const { return changes_.size(); }
  size_t firings() const { return firings_.size(); }

  // Writes transitions.ndjson, firings.ndjson and values.ndjson of all parts (at least one) together; each is sorted
  // and has other users. The first file that could not be written; empty when all were.
  static std::string Write(const std::string& dir, std::span<ReplayOutput* const> parts);

 private:
  // 16 bytes: a plan may tell of several changes for each event. What names them is found by number.
  struct Change {
    Millis at;
    uint32_t user;  // her slot; once sorted, her place in the order of ids
    uint32_t what;  // the segment, then a bit for `enter` and one for `corrected`
  };
  struct Fired {
    Millis at;
    uint32_t user;
    TriggerFiring firing;
  };
  struct Values {
    Millis at;
    uint32_t user;
    std::string line;
  };
  template <typename Item, typename Append>
  static bool WriteMerged(const std::string& path, std::span<ReplayOutput* const> parts,
                          std::vector<Item> ReplayOutput::*list, Append append);
  std::string_view IdAsJson(uint32_t place) const;

  std::shared_ptr<const Program> program_;
  std::vector<Change> changes_;
  std::vector<Fired> firings_;
  std::vector<Values> values_;
  std::vector<const UserState*> by_id_;
  // Their ids as JSON, one after the other, and where each begins.
  std::string json_ids_;
  std::vector<size_t> json_id_begins_;
};

}  // namespace attune

// The output of a replay: compact during the run, sorted and formatted at its end.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"

namespace attune {

// For the users of one engine.
class ReplayOutput {
 public:
  explicit ReplayOutput(std::shared_ptr<const Program> program) : program_(std::move(program)) {}

  void Add(const Transition& transition);
  void Add(TriggerFiring firing);
  void AddValues(Millis at, const UserState& user, std::string line);

  // Sorts everything into the order of the files: by instant, user and name; ties keep their order. `users` are the
  // engine's, and must outlive this. Nothing may be added afterwards.
  void Sort(const std::deque<UserState>& users);

  size_t transitions() const { return changes_.size(); }
  size_t firings() const { return firings_.size(); }

  // Writes transitions.ndjson, firings.ndjson and values.ndjson of all parts (at least one), merged. Each part is
  // sorted, and no user is in two parts. Returns the first file that could not be written; empty on success.
  static std::string Write(const std::string& dir, std::span<ReplayOutput* const> parts);

 private:
  // 16 bytes, because a plan may have several changes per event. Names are looked up by number.
  struct Change {
    Millis at;
    uint32_t user;  // the user's slot; once sorted, the user's rank by id
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
  // Their ids as JSON, concatenated, and the start of each.
  std::string json_ids_;
  std::vector<size_t> json_id_begins_;
};

}  // namespace attune

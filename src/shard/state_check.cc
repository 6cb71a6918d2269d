#include "shard/state_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "effects/effect_group.h"
#include "effects/outbox_marks.h"
#include "effects/outbox_reader.h"
#include "engine/output.h"
#include "event/json_text.h"
#include "shard/plan_state.h"
#include "state/keyspace.h"

namespace attune {
namespace {

constexpr size_t kShownBytes = 300;

class Check {
 public:
  Check(const Store& store, std::shared_ptr<const Program> program, const StateCheckOptions& options, StateReport* report)
      : store_(store), program_(std::move(program)), options_(options), report_(*report), reader_(program_), outbox_(&store) {}

  Status Run() {
    if (Status status = ReadPositions(); !status.ok()) return status;
    if (Status status = ReadOutbox(); !status.ok()) return status;
    if (report_.damages > 0) return {};  // what is ahead of the log cannot be compared with it
    if (options_.quick || options_.first_sequence > 1) return ReadShards();
    return Compare();
  }

 private:
  void Damage(std::string what) {
    ++report_.damages;
    if (report_.found.size() < kMostFoundInState) report_.found.push_back(std::move(what));
  }

  Status ReadPositions() {
    report_.first_position = UINT64_MAX;
    for (int number = 0; number < kShards; ++number) {
      const auto snapshot = Shard::SnapshotOf(store_, static_cast<uint8_t>(number));
      if (!snapshot.ok() && snapshot.error().code == ErrorCode::kCorrupt) {
        Damage(snapshot.error().message);
        continue;
      }
      if (!snapshot.ok()) return snapshot.error();
      const uint64_t position = *snapshot ? (*snapshot)->position : 0;
      positions_[static_cast<size_t>(number)] = position;
      report_.other_plan |= *snapshot && !(*snapshot)->IsUnder(*program_->plan);
      report_.first_position = std::min(report_.first_position, position);
      report_.last_position = std::max(report_.last_position, position);
      if (position > options_.last_sequence) {
        Damage(fmt::format("the snapshot of shard {} includes record {}, and the log ends at record {}", number, position, options_.last_sequence));
      }
    }
    return {};
  }

  Status ReadOutbox() {
    OutboxMarks marks(SIZE_MAX, kNever);
    if (Status status = marks.Restore(store_); !status.ok()) return status;
    floor_ = marks.floor();
    return store_.ForEach(keys::kOutbox, [&](std::string_view key, std::string_view bytes) {
      const auto first = EffectOfKey(key);
      const auto group = first ? EffectGroup::Parse(*first, bytes) : std::nullopt;
      if (!group) {
        Damage("a group of effects of the outbox cannot be read");
        return true;
      }
      if (group->last().sequence > options_.last_sequence) {
        Damage(fmt::format("the outbox has effect {}, and the log ends at record {}", ToText(group->last()), options_.last_sequence));
      }
      std::vector<PublishedEffect> kept;
      group->Read(floor_, group->last(), &kept);
      report_.effects += kept.size();
      return true;
    });
  }

  // Restores a shard; null and a damage when it cannot be.
  std::unique_ptr<Shard> Restored(size_t number) {
    auto shard = std::make_unique<Shard>(static_cast<uint8_t>(number), program_, &reader_);
    if (Status status = shard->Restore(store_); !status.ok()) {
      Damage(fmt::format("shard {}: {}", number, status.error().message));
      return nullptr;
    }
    return shard;
  }

  Status ReadShards() {
    for (size_t number = 0; number < kShards; ++number) {
      const auto shard = Restored(number);
      if (!shard) continue;
      for (const UserState& user : shard->engine().users()) CountUser(user, *shard);
    }
    return {};
  }

  // Gives the user's index in the store; nullopt and a damage when it cannot be read.
  std::optional<std::vector<uint64_t>> CountUser(const UserState& user, Shard& shard) {
    ++report_.users;
    for (ConditionId c = 0; c < program_->segment_count; ++c) report_.memberships += user.Holds(c);
    auto index = HistoryIndex::Collect(store_, nullptr, {shard.number(), kNoSlot, std::string(user.id())});
    if (!index.ok()) {
      Damage(fmt::format("shard {}: {}", shard.number(), index.error().message));
      return std::nullopt;
    }
    report_.index_entries += index->size();
    return std::move(index).value();
  }

  // Reads the log once, and stops where a shard's snapshot was taken.
  Status Compare() {
    auto scratch = Store::Open("built from the log", {.in_memory = true});
    if (!scratch.ok()) return scratch.error();
    PlanState plan_state(program_, 1, scratch->get(), options_.log);
    std::multimap<uint64_t, size_t> stops;
    for (size_t number = 0; number < kShards; ++number) stops.emplace(positions_[number], number);
    auto reader = options_.log->NewReader(1, report_.last_position);
    if (!reader.ok()) return reader.error();
    auto stop = stops.begin();
    RecordView record;
    bool links_compared = false;
    const auto reach = [&](uint64_t sequence) {  // records up to the one before it have been applied
      for (; stop != stops.end() && stop->first < sequence; ++stop) {
        if (!links_compared) CompareLinks(plan_state, stop->first);
        links_compared = true;
        CompareShard(plan_state.shard(stop->second), plan_state);
      }
    };
    while (report_.last_position > 0) {
      const auto more = (*reader)->Next(&record);
      if (!more.ok()) return more.error();
      if (!*more) break;
      reach(record.sequence);
      published_.clear();
      const Status applied = plan_state.Apply(
          record, [&](Effects* effects, uint32_t first) {
            ForEachEffect(record.sequence, *effects, plan_state.program(), first,
                          [&](const PublishedEffect& effect) { published_.push_back({effect.id, OutboxReader::HashOf(effect)}); });
          });
      if (!applied.ok()) return applied;
      if (Status status = CompareEffects(record.sequence); !status.ok()) return status;
      if ((record.sequence & 0xFFF) == 0 && options_.on_progress) options_.on_progress(record.sequence, report_.last_position);
    }
    reach(UINT64_MAX);
    // An effect that was kept and does not come of the log.
    report_.other_effects += report_.effects - matched_;
    return {};
  }

  // What a record brought about.
  Status CompareEffects(uint64_t sequence) {
    std::ranges::sort(published_, {}, &OutboxReader::Kept::id);
    for (const OutboxReader::Kept& effect : published_) {
      if (effect.id <= floor_) continue;
      const auto kept = outbox_.Seek(effect.id);
      if (!kept.ok()) return kept.error();
      if (!*kept || (*kept)->id != effect.id) {
        // Only what a snapshot includes must be in the store already.
        report_.other_effects += sequence <= report_.first_position;
      } else if ((*kept)->hash == effect.hash) {
        ++matched_;
      }
    }
    return {};
  }

  void CompareLinks(PlanState& plan_state, uint64_t position) {
    if (report_.other_plan) return;  // a shard that has nothing of this plan has none of its links
    Merging stored(program_, &store_);
    if (Status status = stored.Restore(position); !status.ok()) return Damage(status.error().message);
    std::map<std::string, std::string> expected, found;
    const auto into = [](std::map<std::string, std::string>* links) {
      return [links](std::string_view id, std::string_view person) { links->emplace(id, person); };
    };
    plan_state.merging().identity().ForEachMerged(into(&expected));
    stored.identity().ForEachMerged(into(&found));
    for (const auto& [id, person] : expected) {
      if (!found.contains(id)) Damage(fmt::format("the log merges \"{}\" into \"{}\", the store does not", id, person));
    }
    for (const auto& [id, person] : found) {
      if (!expected.contains(id)) Damage(fmt::format("the store has \"{}\" merged into \"{}\", the log does not", id, person));
    }
  }

  void CompareShard(Shard& built, PlanState& plan_state) {
    const auto snapshot = Shard::SnapshotOf(store_, built.number());
    if (!snapshot.ok() || !*snapshot || !(*snapshot)->IsUnder(*program_->plan)) return;
    const auto stored = Restored(built.number());
    if (!stored) return;
    for (const UserState& user : stored->engine().users()) {
      const auto index = CountUser(user, *stored);
      UserState* const expected = built.engine().Find(user.id());
      if (!expected) {
        Damage(fmt::format("shard {}: the store has the user \"{}\", of whom the log says nothing", built.number(), user.id()));
      } else {
        CompareUser(user, stored.get(), index, *expected, &built, plan_state);
      }
    }
    for (const UserState& user : built.engine().users()) {
      if (user.ended || stored->engine().Find(user.id())) continue;
      Damage(fmt::format("shard {}: the user \"{}\" is missing in the store", built.number(), user.id()));
    }
  }

  void CompareUser(const UserState& found, Shard* stored, const std::optional<std::vector<uint64_t>>& index, const UserState& expected,
                   Shard* built, const PlanState& plan_state) {
    const std::string left = Described(expected, &built->engine()), right = Described(found, &stored->engine());
    if (left != right) {
      Damage(fmt::format("shard {}: user \"{}\": the log gives {}, the store has {}", built->number(), found.id(), Preview(left, kShownBytes),
                         Preview(right, kShownBytes)));
    }
    // Of shards whose snapshots are older than this one's the index is older too: a start reads the log from there.
    const auto must = plan_state.HistoryOf({built->number(), expected.slot, std::string(found.id())},
                                      [this](uint8_t shard) { return shard < kShards ? positions_[shard] : 0; });
    if (must.ok() && index && !std::includes(index->begin(), index->end(), must->begin(), must->end())) {
      Damage(fmt::format("shard {}: user \"{}\": {} records are in the history that the log gives, {} in the index, and some are missing there",
                         built->number(), found.id(), must->size(), index->size()));
    }
  }

  // What can be seen of a user.
  std::string Described(const UserState& user, Engine* engine) const {
    std::string text = fmt::format("{{\"first_seen\":{},\"now\":{},\"known\":{},\"state\":{},\"since\":[", user.first_seen, user.now, user.known,
                                   ValuesJson(user, user.now, engine));
    for (ConditionId c = 0; c < program_->segment_count; ++c) {
      if (user.Holds(c)) text += fmt::format("{},", user.Since(c));
    }
    text += "],\"recent\":[";
    for (const uint64_t sequence : user.recent()) text += fmt::format("{},", sequence);
    return text + "]}";
  }

  const Store& store_;
  const std::shared_ptr<const Program> program_;
  const StateCheckOptions& options_;
  StateReport& report_;
  RecordReader reader_;
  std::array<uint64_t, kShards> positions_{};
  OutboxReader outbox_;
  uint64_t matched_ = 0;  // effects of the outbox that the log gives as they are there
  EffectId floor_;
  std::vector<OutboxReader::Kept> published_;  // of the record at hand
};

}  // namespace

Status CheckState(const Store& store, const std::shared_ptr<const Program>& program, const StateCheckOptions& options, StateReport* report) {
  *report = StateReport();
  return Check(store, program, options, report).Run();
}

}  // namespace attune

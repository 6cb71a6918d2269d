// The metrics of the shard loops, and of the log that they follow.
#include <cstdlib>

#include "shard/runtime.h"

namespace attune {
namespace {

uint64_t Microseconds(std::chrono::nanoseconds time) { return static_cast<uint64_t>(time.count() / 1000); }

}  // namespace

void Runtime::AddMetrics(Metrics* metrics) const {
  const auto read = [](const std::atomic<uint64_t>& stat) { return [stat = &stat] { return stat->load(); }; };
  metrics->Counter("attune_events_applied_total", "Events taken into state, duplicates included", read(stats_.events));
  metrics->Counter("attune_events_late_total", "Events that came after a later one of their user", read(stats_.late));
  metrics->Counter("attune_events_duplicate_total", "Events dropped as duplicates", read(stats_.duplicates));
  metrics->Counter("attune_transitions_total", "Changes of membership", read(stats_.transitions));
  metrics->Counter("attune_firings_total", "Triggers that fired", read(stats_.firings));
  metrics->Counter("attune_ticks_total", "Ticks logged to fire timers", read(stats_.ticks));
  metrics->Gauge("attune_timer_entries", "Entries of the timer queues, at most about two for each user with a timer",
                 read(stats_.timers));
  metrics->Counter("attune_snapshots_total", "Snapshots of a shard", read(stats_.snapshots));
  metrics->Counter("attune_rebuilds_total", "People whose state was rebuilt after a merge or the undoing of one",
                   read(stats_.rebuilds));
  metrics->Counter("attune_rebuilt_records_total", "Records that were applied once more for these",
                   read(stats_.rebuilt_records));
  metrics->Counter("attune_meetings_total", "Records at which all shard loops met", [this] { return meeting_.held(); });
  metrics->Gauge("attune_meeting_longest_hold_microseconds", "The longest that all shard loops stood still at one",
                 [this] { return Microseconds(meeting_.longest_hold()); });
  metrics->Gauge("attune_meeting_longest_wait_microseconds",
                 "The longest that one shard loop waited there for the others",
                 [this] { return Microseconds(meeting_.longest_wait()); });
  metrics->Gauge("attune_loop_stalled_milliseconds",
                 "How long the slowest shard loop has not moved though it has work to do",
                 [this] { return Microseconds(stalled()) / 1000; });
  metrics->Gauge("attune_users", "Users known", read(stats_.users));
  metrics->GaugeFamily("attune_segment_users", "Users who hold a segment", "segment", [this](const Metrics::Add& add) {
    const auto plan_state = this->plan_state();
    const Program& program = plan_state->program();
    for (size_t i = 0; i < program.plan->segments.size(); ++i) {
      add(program.plan->segments[i].name, plan_state->SegmentSize(program.condition_of_segment[i]));
    }
  });
}

void Runtime::AddLogMetrics(Metrics* metrics) const {
  metrics->Gauge("attune_log_position", "The last durable record", [this] { return durable_sequence(); });
  metrics->Gauge("attune_log_pending_bytes", "Appended and not yet durable", [this] { return log_->pending_bytes(); });
  metrics->Gauge("attune_storage_full", "1 while the disk takes nothing more", [this] { return storage_full(); });
  metrics->Gauge("attune_clock_leap_seconds", "How far the wall clock leapt and is not followed",
                 [this] { return static_cast<uint64_t>(std::abs(clock_leap()) / 1000); });
}

}  // namespace attune

#include "simulator/questions.h"

#include <algorithm>

#include "oracle/engine_run.h"
#include "shard/user_view.h"

namespace attune::simulate {

void Questions::AskValues(const std::string& id) {
  ++waiting_;
  machine_.runtime().AskPerson(id, [this, process = process_](Shard& owner, std::string_view person, Millis now) {
    if (process != process_) return;
    Answer answer{owner.engine().program().plan->fingerprint, owner.position(), std::string(person), now, std::nullopt};
    UserView view(&owner.engine(), person, now);
    if (const UserState* user = view.user()) {
      answer.at = std::max(now, user->now);
      answer.values = oracle::ValuesOf(&view.engine(), *user, answer.at);
    }
    chronicle_.Tell("answered at record {}: {}", answer.position, answer.values ? oracle::ToText(*answer.values) : answer.person + " is unknown");
    answers_.push_back(std::move(answer));
    Done();
  });
}

void Questions::AskHistory(const std::string& id) {
  ++waiting_;
  machine_.runtime().AskPerson(id, [this, process = process_](Shard& owner, std::string_view person, Millis) {
    if (process != process_) return;
    ReadHistory(owner.Indexed(person), process);
  });
}

void Questions::ReadHistory(IndexedUser user, uint64_t process) {
  machine_.runtime().AskLog([this, process, plan_state = machine_.runtime().plan_state(), user = std::move(user)](ReadableLog& log) {
    if (process != process_) return;
    const auto collected = plan_state->HistoryOf(user);
    if (!collected.ok()) {
      chronicle_.Fail(Promise::kState, "the index of a history cannot be read: " + collected.error().message);
      return Done();
    }
    const std::vector<uint64_t>& sequences = *collected;
    const auto read = log.Read(sequences);
    if (!read.ok() && !may_fail_) chronicle_.Fail(Promise::kState, "records cannot be read back: " + read.error().message);
    for (size_t i = 0; read.ok() && i < sequences.size(); ++i) {
      if (!(*read)[i]) chronicle_.Fail(Promise::kState, fmt::format("record {} cannot be read back", sequences[i]));
      if ((*read)[i]) read_back_.push_back({sequences[i], (*read)[i]->payload});
    }
    Done();
  });
}

void Questions::Done() {
  --waiting_;
  ++answered_;
}

void Questions::OnProcessGone() {
  ++process_;
  waiting_ = 0;
}

bool Questions::CheckHistories(const LogContents& log) {
  for (const ReadBack& read : read_back_) {
    if (read.sequence > log.size() || log[read.sequence - 1].payload != read.payload) {
      return chronicle_.Fail(Promise::kState, fmt::format("record {} was read back as another", read.sequence));
    }
  }
  return true;
}

std::vector<std::string> EveryonesValues(Machine* machine, Chronicle* chronicle) {
  struct Found {
    std::vector<std::string> users;
    int answered = 0;
  };
  const auto found = std::make_shared<Found>();  // should a loop answer later than anybody waits
  for (uint8_t shard = 0; shard < kShards; ++shard) {
    machine->runtime().Ask(shard, [found, now = machine->now()](Shard& owner) {
      ++found->answered;
      for (const UserState& user : owner.engine().users()) {
        if (user.ended) continue;
        const Millis at = std::max(now, user.now);
        found->users.push_back(oracle::ToText(oracle::ValuesOf(&owner.engine(), user, at)));
      }
    });
  }
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t loop = 0; loop < machine->loops(); ++loop) moved |= machine->Step(Machine::Part::kRecords, loop);
  }
  if (found->answered < kShards) {
    chronicle->Fail(Promise::kEnds, fmt::format("{} of {} shards answer; {}", found->answered, kShards, machine->WhatWaits()));
  }
  std::sort(found->users.begin(), found->users.end());
  return found->users;
}

}  // namespace attune::simulate

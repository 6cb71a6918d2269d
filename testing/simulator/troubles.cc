#include "simulator/troubles.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace attune::simulate {
namespace {

using Op = FakeDisk::Op;

std::string_view NameOf(Op op) {
  switch (op) {
    case Op::kOpen: return "open";
    case Op::kRead: return "read";
    case Op::kWrite: return "write";
    case Op::kSync: return "sync";
    case Op::kTruncate: return "truncate";
    case Op::kAllocate: return "allocate";
    case Op::kRemove: return "remove";
    case Op::kSyncDir: return "sync of a folder";
  }
  return "";
}

}  // namespace

void Troubles::BreakDisk() {
  static const std::vector<Op> kWrites = {Op::kWrite, Op::kSync, Op::kTruncate, Op::kAllocate, Op::kSyncDir};
  static const std::vector<Op> kReads = {Op::kRead, Op::kRead, Op::kOpen};
  const Op op = random_.Pick(reads_ && random_.Percent(60) ? kReads : kWrites);
  const int after = static_cast<int>(random_.Below(3));
  const bool full = (op == Op::kWrite || op == Op::kAllocate) && random_.Percent(50);
  chronicle_.Tell("the disk will fail: {}, after {} calls{}", NameOf(op), after, full ? ", for want of space" : "");
  const Error error = full ? Error{ErrorCode::kUnavailable, "no space"} : Error{ErrorCode::kIo, "input/output error"};
  machine_.disk().FailAfter(op, after, error, static_cast<size_t>(random_.Below(40)));
}

void Troubles::Mend() {
  FreeDisk();
  machine_.disk().ClearFaults();
  machine_.store().fail_after = -1;
}

bool Troubles::CutOff() {
  machine_.disk().ClearFaults();
  const bool power = random_.Percent(60);
  if (power) {
    CutPower();
  } else {
    machine_.disk().Kill();
  }
  machine_.store().crashed = true;
  machine_.End();  // whatever it still does comes to nothing
  LoseBatches(power);
  FreeDisk();
  chronicle_.Tell("{}; the store has {} batches", power ? "the power was cut" : "the process was killed",
                  machine_.store().batches.size());
  return power;
}

void Troubles::CutPower() {
  switch (random_.Below(3)) {
    case 0: return machine_.disk().Crash();
    case 1: return machine_.disk().CrashKeepingBytes(static_cast<uint64_t>(random_.Below(2'000)));
    default: machine_.disk().CrashKeepingSectors([this](uint64_t) { return random_.Percent(50); });
  }
}

void Troubles::LoseBatches(bool power) {
  auto rest = std::make_unique<FakeBatchLog>();
  rest->batches = std::move(machine_.store().batches);
  if (power && !rest->batches.empty()) {
    const auto all = static_cast<int64_t>(rest->batches.size());
    const int64_t most = random_.Percent(80) ? std::min<int64_t>(all, 8) : all;
    const auto kept = static_cast<size_t>(all - random_.Below(most + 1));
    rest->batches.resize(std::max(kept, machine_.store().synced));
  }
  rest->synced = machine_.store().synced;
  machine_.ReplaceStore(std::move(rest));
}

}  // namespace attune::simulate

#include "fake_store/fake_batch_log.h"

namespace attune {

Status FakeBatchLog::Append(std::string_view batch, bool sync) {
  if (crashed) return Error{ErrorCode::kIo, "the power is off"};
  if (fail_after >= 0 && fail_after-- == 0) return Error{ErrorCode::kUnavailable, "no space"};
  batches.emplace_back(batch);
  if (sync) synced = batches.size();
  return {};
}

Status FakeBatchLog::Resume() {
  if (crashed) return Error{ErrorCode::kIo, "the power is off"};
  return {};
}

Status FakeBatchLog::ForEach(const std::function<Status(std::string_view batch)>& visit) const {
  for (const std::string& batch : batches) {
    if (Status visited = visit(batch); !visited.ok()) return visited;
  }
  return {};
}

}  // namespace attune

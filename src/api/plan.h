// GET and PUT /v1/plan.
#pragma once

#include <atomic>
#include <string>

#include "api/background_responder.h"
#include "api/router.h"
#include "shard/runtime.h"

namespace attune {

class PlanResource {
 public:
  // Pointers must outlive it. `path` is the file that PUT replaces; with a folder, or without a path, PUT is refused.
  PlanResource(RequestRouter* router, Runtime* runtime, BackgroundResponder* background,
               const std::atomic<bool>* draining, std::string path);

 private:
  void Replace(Call call);
  void ReplaceNow(Call* call);

  Runtime& runtime_;
  BackgroundResponder& background_;
  const std::atomic<bool>& draining_;
  const std::string path_;
};

}  // namespace attune

// GET /v1/dead-letters: lists, groups, exports and shows them.
#pragma once

#include <atomic>
#include <memory>

#include "api/background_responder.h"
#include "api/refused_requests.h"
#include "api/router.h"
#include "shard/runtime.h"

namespace attune {

class DeadLettersResource {
 public:
  // Pointers must outlive it.
  DeadLettersResource(RequestRouter* router, Runtime* runtime, BackgroundResponder* background,
                      RefusedRequests* refused, const std::atomic<bool>* draining);

 private:
  void List(Call call);
  void Group(Call call);
  void Export(Call call);
  void Show(Call call);
  // Does the work once the shards have applied what is durable now, and the store has it.
  void AnswerInBackground(std::shared_ptr<Call> call, BackgroundResponder::Work work);

  Runtime& runtime_;
  BackgroundResponder& background_;
  RefusedRequests& refused_;
  const std::atomic<bool>& draining_;
};

}  // namespace attune

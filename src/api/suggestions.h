// GET /v1/suggest.
#pragma once

#include "api/router.h"
#include "api/studies.h"
#include "shard/runtime.h"

namespace attune {

class SuggestionsResource {
 public:
  // Pointers must outlive it.
  SuggestionsResource(RequestRouter* router, Runtime* runtime, StudiesResource* studies);

 private:
  void Begin(Call call);

  Runtime& runtime_;
  StudiesResource& studies_;
};

}  // namespace attune

// POST /v1/segments/preview.
#pragma once

#include "api/router.h"
#include "api/studies.h"
#include "shard/runtime.h"

namespace attune {

class PreviewsResource {
 public:
  // Pointers must outlive it.
  PreviewsResource(RequestRouter* router, Runtime* runtime, StudiesResource* studies);

 private:
  void Begin(Call call);

  Runtime& runtime_;
  StudiesResource& studies_;
};

}  // namespace attune

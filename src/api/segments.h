// The segments of the plan: sizes, definitions, members.
#pragma once

#include "api/router.h"
#include "shard/runtime.h"

namespace attune {

class SegmentsResource {
 public:
  // `runtime` must outlive it.
  SegmentsResource(RequestRouter* router, Runtime* runtime);

 private:
  void List(Call call);
  void Show(Call call);
  void ListMembers(Call call);

  Runtime& runtime_;
};

}  // namespace attune

// What is asked and done about one user: the profile, explanations, and undoing a merge.
#pragma once

#include "api/router.h"
#include "shard/runtime.h"

namespace attune {

class UsersResource {
 public:
  // `runtime` must outlive it.
  UsersResource(RequestRouter* router, Runtime* runtime);

 private:
  void ShowBehavior(Call call);
  void Explain(Call call);
  void Unmerge(Call call);

  Runtime& runtime_;
};

}  // namespace attune

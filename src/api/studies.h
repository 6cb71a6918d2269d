// Studies over HTTP: begun by other resources, they are answered when they are done, or, if the client prefers that,
// with where to look for the outcome.
#pragma once

#include <atomic>
#include <string>

#include "analysis/studies.h"
#include "api/refused_requests.h"
#include "api/router.h"

namespace attune {

class StudiesResource {
 public:
  // Pointers must outlive it.
  StudiesResource(RequestRouter* router, Studies* studies, RefusedRequests* refused, const std::atomic<bool>* draining);

  // Registers GET and DELETE of the studies that a resource begins, such as `/v1/suggest/{id}`.
  void AddShowAndCancel(const std::string& path);
  // Begins the study and answers the call, later with its outcome or at once as `Prefer: respond-async` requires. Any
  // thread.
  void Begin(Call call, Studies::Work work);

 private:
  void Show(Call call) const;
  void Cancel(Call call);

  RequestRouter& router_;
  Studies& studies_;
  RefusedRequests& refused_;
  const std::atomic<bool>& draining_;
};

}  // namespace attune

// GET /v1/errors and GET /v1/limits: the tables of codes and limits, as they are in the sources.
#pragma once

#include "access/rate_limits.h"
#include "api/router.h"
#include "dead_letter/dead_letters.h"
#include "http/limits.h"
#include "shard/runtime.h"

namespace attune {

// The limits that are set at the start; all others are constants.
struct PublishedLimits {
  HttpLimits http;
  RateOptions rates;
  LetterQuota dead_letters;
};

class PublishedResource {
 public:
  // Pointers must outlive it.
  PublishedResource(RequestRouter* router, const Runtime* runtime, const PublishedLimits& limits);

 private:
  void ListErrors(Call call) const;
  void ShowLimits(Call call) const;

  const Runtime& runtime_;
  const PublishedLimits limits_;
};

}  // namespace attune

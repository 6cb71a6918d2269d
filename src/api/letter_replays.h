// POST /v1/dead-letters/replay.
#pragma once

#include "api/router.h"
#include "api/studies.h"
#include "dead_letter/dead_letters.h"
#include "ingest/protocols.h"
#include "shard/runtime.h"

namespace attune {

class LetterReplaysResource {
 public:
  // Pointers must outlive it.
  LetterReplaysResource(RequestRouter* router, Runtime* runtime, const DeadLetters* letters, const Protocols* protocols,
                        StudiesResource* studies);

 private:
  void Begin(Call call);

  Runtime& runtime_;
  const DeadLetters& letters_;
  const Protocols& protocols_;
  StudiesResource& studies_;
};

}  // namespace attune

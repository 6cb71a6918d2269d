// GET /openapi.json: the description of the API, made of the table of routes and the paths of the wire protocols.
#pragma once

#include "api/router.h"
#include "ingest/protocols.h"

namespace attune {

class OpenApiResource {
 public:
  OpenApiResource(RequestRouter* router, const Protocols* protocols);
};

}  // namespace attune

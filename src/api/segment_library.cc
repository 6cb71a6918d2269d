#include "api/segment_library.h"

#include <nlohmann/json.hpp>

namespace attune {
namespace {

// Pages of other sites request these.
void AnswerAnySite(Call* call, std::string body) {
  call->reply.Send({200, kJson, {{"Access-Control-Allow-Origin", "*"}}, std::move(body)});
}

}  // namespace

SegmentLibraryResource::SegmentLibraryResource(RequestRouter* router) {
  router->On("GET /v1/projects/{key}/settings", [](Call call) {
    const nlohmann::json settings = {{"integrations", {{"Segment.io", {{"apiKey", call.names[0]}}}}}};
    AnswerAnySite(&call, settings.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  });
  router->On("POST /v1/m", [](Call call) { AnswerAnySite(&call, "{\"success\":true}"); });
}

}  // namespace attune

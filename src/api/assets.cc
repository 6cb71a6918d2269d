#include "api/assets.h"

namespace attune {
namespace {

// The page loads only from this server and runs no inline script.
constexpr const char* kPagePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

}  // namespace

AssetsResource::AssetsResource(RequestRouter* router, std::vector<Asset> assets) {
  for (Asset& asset : assets) {
    const std::string path = asset.path;
    router->OnPath(path, "", [asset = std::move(asset)](Call call) {
      if (call.request.method() != "GET") return call.reply.Send(MethodNotAllowed("GET"));
      call.reply.Send({200,
                       asset.content_type,
                       {{"Content-Security-Policy", kPagePolicy}, {"Cache-Control", "no-cache"}},
                       asset.body});
    });
  }
}

}  // namespace attune

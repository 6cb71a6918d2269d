#include "api/router.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

TEST(RequestRouter, NamesTheRouteOfARequest) {
  const Keys keys{};
  RequestRouter router(&keys);
  router.OnPath("/v1/track", "/v1/track", [](Call) {});
  router.OnPath("/app.js", "", [](Call) {});
  const struct {
    const char* target;
    const char* route;
  } kCases[] = {
      {"/v1/users/a%2Fb/behavior?limit=3", "/v1/users/{id}/behavior"},
      {"/v1/segments/preview", "/v1/segments/{name}"},  // of several rows the first
      {"/v1/dead-letters/groups", "/v1/dead-letters/groups"},
      {"/v1/dead-letters/0012", "/v1/dead-letters/{id}"},
      {"/v1/track", "/v1/track"},
      {"/app.js", ""},
      {"/nothing", ""},
      {"/v1/users/%zz/behavior", ""},
  };
  for (const auto& [target, route] : kCases) EXPECT_EQ(router.RouteOf(Request("GET", target)), route) << target;
}

TEST(RequestRouterDeathTest, EveryRowHasOneHandlerAndEveryHandlerARow) {
  const Keys keys{};
  RequestRouter router(&keys);
  EXPECT_DEATH(router.On("GET /v1/nothing", [](Call) {}), "a handler is for a row");
  EXPECT_DEATH(router.On("POST /metrics", [](Call) {}), "a handler is for a row");
  for (const Route& route : Routes()) {
    EXPECT_DEATH(router.CheckComplete(), "every row");
    router.On(std::string(route.method) + " " + route.path, [](Call) {});
  }
  router.CheckComplete();
  EXPECT_DEATH(router.On("GET /metrics", [](Call) {}), "a row has one handler");
  router.OnPath("/i", "/i", [](Call) {});
  EXPECT_DEATH(router.OnPath("/i", "/i", [](Call) {}), "a path has one handler");
}

}  // namespace
}  // namespace attune

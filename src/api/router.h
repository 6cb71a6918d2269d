// Finds the handler of a request: by the table of routes (routes.h), or by a path that a resource added beside the
// table.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/keys.h"
#include "api/call.h"
#include "api/routes.h"
#include "base/text_map.h"
#include "http/server.h"

namespace attune {

// Resources register their handlers first; then any thread may call Handle and RouteOf.
class RequestRouter {
 public:
  using Handler = std::function<void(Call)>;

  // `keys` must outlive it.
  explicit RequestRouter(const Keys* keys);

  // Registers the handler of a row of the table, such as `GET /v1/plan`. Ends the process when there is no such row, or
  // when it has a handler already.
  void On(std::string_view row, Handler handler);
  // Registers the handler of a path that is not in the table, for all methods and without a check of the key. `name` is
  // what RouteOf returns for it; it must live as long as the process.
  void OnPath(std::string_view path, std::string_view name, Handler handler);
  // From now on the row needs no key. Requires that it has a handler.
  void Open(std::string_view row);
  // Ends the process when a row of the table has no handler.
  void CheckComplete() const;

  // Answers with 404, 405, 401 or 403, or calls the handler on the caller's thread. Handlers must not block.
  void Handle(Request request, Reply reply) const;
  // The same on the listener for operations: the rows of kOpen and kOperator, without a key; 404 for all else.
  void HandleOperation(Request request, Reply reply) const;
  // See RouteName in http/server.h: the path of the row that the request's path matches, with its braces.
  std::string_view RouteOf(const Request& request) const;

 private:
  struct OtherPath {
    std::string_view name;
    Handler handler;
  };

  size_t IndexOf(std::string_view row) const;
  // The row that the request's method and path match, with the pieces for its braces; nullopt: the request has been answered.
  std::optional<size_t> FindRow(const Request& request, std::vector<std::string>* names, Reply* reply) const;
  bool CheckKey(const Request& request, Access access, Reply* reply) const;

  const Keys& keys_;
  std::vector<Handler> handlers_;  // by the index of the row
  std::vector<bool> open_;         // likewise: needs no key, whatever the table says
  TextMap<OtherPath> others_;
};

}  // namespace attune

#include "api/router.h"

#include "access/write_key.h"
#include "api/request_key.h"
#include "base/check.h"
#include "http/problem.h"

namespace attune {

RequestRouter::RequestRouter(const Keys* keys) : keys_(*keys), handlers_(Routes().size()), open_(Routes().size()) {}

size_t RequestRouter::IndexOf(std::string_view row) const {
  const auto routes = Routes();
  size_t i = 0;
  while (i < routes.size() && std::string(routes[i].method) + " " + routes[i].path != row) ++i;
  ATTUNE_CHECK(i < routes.size(), "a handler is for a row of the table of routes");
  return i;
}

void RequestRouter::On(std::string_view row, Handler handler) {
  Handler& own = handlers_[IndexOf(row)];
  ATTUNE_CHECK(!own, "a row has one handler");
  own = std::move(handler);
}

void RequestRouter::Open(std::string_view row) { open_[IndexOf(row)] = true; }

void RequestRouter::OnPath(std::string_view path, std::string_view name, Handler handler) {
  ATTUNE_CHECK(others_.try_emplace(path, OtherPath{name, std::move(handler)}).second, "a path has one handler");
}

void RequestRouter::CheckComplete() const {
  for (const Handler& handler : handlers_) ATTUNE_CHECK(handler, "every row of the table of routes has a handler");
}

void RequestRouter::Handle(Request request, Reply reply) const {
  if (const auto other = others_.find(request.path()); other != others_.end()) {
    return other->second.handler({std::move(request), std::move(reply)});
  }
  std::vector<std::string> names;
  const auto row = FindRow(request, &names, &reply);
  if (!row || (!open_[*row] && !CheckKey(request, Routes()[*row].access, &reply))) return;
  handlers_[*row]({std::move(request), std::move(reply), std::move(names)});
}

void RequestRouter::HandleOperation(Request request, Reply reply) const {
  std::vector<std::string> names;
  const auto row = FindRow(request, &names, &reply);
  if (!row) return;
  const Access access = Routes()[*row].access;
  if (access != Access::kOpen && access != Access::kOperator) {
    return reply.Send(Problem(Code::kNotFound, std::string(request.path()) + " is not served by the listener for operations"));
  }
  handlers_[*row]({std::move(request), std::move(reply), std::move(names)});
}

std::optional<size_t> RequestRouter::FindRow(const Request& request, std::vector<std::string>* names, Reply* reply) const {
  const auto pieces = request.PathSegments();
  if (!pieces) return reply->Send(Problem(Code::kMalformedPath, request.path())), std::nullopt;
  std::string allowed;
  const auto routes = Routes();
  for (size_t i = 0; i < routes.size(); ++i) {
    names->clear();
    if (!MatchesPath(routes[i].path, *pieces, names)) continue;
    if (request.method() == routes[i].method) return i;
    allowed += (allowed.empty() ? "" : ", ") + std::string(routes[i].method);
  }
  reply->Send(allowed.empty() ? Problem(Code::kNotFound, std::string(request.method()) + " " + std::string(request.path()))
                              : MethodNotAllowed(allowed));
  return std::nullopt;
}

std::string_view RequestRouter::RouteOf(const Request& request) const {
  if (const auto other = others_.find(request.path()); other != others_.end()) return other->second.name;
  const auto pieces = request.PathSegments();
  if (!pieces) return {};
  std::vector<std::string> names;
  for (const Route& route : Routes()) {
    names.clear();
    if (MatchesPath(route.path, *pieces, &names)) return route.path;
  }
  return {};
}

// False: the request has been answered.
bool RequestRouter::CheckKey(const Request& request, Access access, Reply* reply) const {
  if (access == Access::kOpen) return true;
  KeySources sources = HeaderKeys(request);
  sources.query = request.query();
  const std::string key = FindWriteKey(sources);
  const auto holder = key.empty() ? std::nullopt : keys_.Find(key);
  if (holder && (holder->kind == KeyKind::kApi || access == Access::kAnyKey)) return true;
  if (holder) {
    reply->Send(Problem(Code::kInsufficientScope, "a write key only sends events; this needs an API key"));
    return false;
  }
  Response response = Problem(Code::kInvalidKey, "send it as Authorization: Bearer <API key>");
  response.headers.emplace_back("WWW-Authenticate", "Bearer");
  reply->Send(std::move(response));
  return false;
}

}  // namespace attune

#include "api/openapi.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <string>

#include "api/routes.h"
#include "dead_letter/letter_filter.h"

namespace attune {
namespace {

nlohmann::json Parameters(std::string_view path, std::string_view query) {
  auto list = nlohmann::json::array();
  for (size_t open = path.find('{'); open != std::string_view::npos; open = path.find('{', open + 1)) {
    const std::string name(path.substr(open + 1, path.find('}', open) - open - 1));
    list.push_back({{"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
  }
  while (!query.empty()) {
    const std::string name(query.substr(0, query.find(' ')));
    const char* type = name == "limit" ? "integer" : "string";
    list.push_back({{"name", name}, {"in", "query"}, {"schema", {{"type", type}}}});
    query.remove_prefix(std::min(query.size(), name.size() + 1));
  }
  return list;
}

// The body that a route takes; null: none.
nlohmann::json BodyOf(const Route& route) {
  const nlohmann::json text = {{"type", "string"}};
  const std::string_view path = route.path;
  if (path == "/v1/events/validate") return {{"type", "object"}};
  if (path == "/v1/dead-letters/replay" && route.method == std::string_view("POST")) {
    nlohmann::json filter = {
        {"type", "object"}, {"properties", nlohmann::json::object()}, {"additionalProperties", false}};
    std::string_view names = LetterFilter::kParameters;
    while (!names.empty()) {
      const std::string name(names.substr(0, names.find(' ')));
      filter["properties"][name] = text;
      names.remove_prefix(std::min(names.size(), name.size() + 1));
    }
    return {{"type", "object"},
            {"required", {"filter"}},
            {"properties", {{"filter", filter}, {"dry_run", {{"type", "boolean"}}}, {"oldest_event", text}}},
            {"additionalProperties", false}};
  }
  if (path != "/v1/segments/preview") return nullptr;
  return {{"type", "object"},
          {"required", {"when"}},
          {"properties",
           {{"when", text}, {"segment", text}, {"sample", {{"type", "integer"}, {"minimum", 0}, {"maximum", 1000}}}}},
          {"additionalProperties", false}};
}

// Whether the route begins a study, whose outcome can be fetched later.
bool BeginsStudy(const Route& route) {
  const std::string_view path = route.path;
  return path == "/v1/segments/preview" || path == "/v1/suggest" || path == "/v1/dead-letters/replay";
}

nlohmann::json Answers(bool guarded, const std::string& content_type = "application/json") {
  const nlohmann::json problem = {
      {"description", "Refused, with the reason"},
      {"content", {{"application/problem+json", {{"schema", {{"$ref", "#/components/schemas/Problem"}}}}}}}};
  nlohmann::json answers = {
      {"200",
       {{"description", "Done"},
        {"content",
         {{content_type, {{"schema", {{"type", content_type == "application/json" ? "object" : "string"}}}}}}}}},
      {"400", problem}};
  if (guarded) {
    for (const char* code : {"401", "403", "404"}) answers[code] = problem;
  }
  return answers;
}

// Of a path of a wire protocol.
nlohmann::json UploadOperation(const ProtocolPath& path) {
  nlohmann::json answers = Answers(false);
  for (const char* code : {"401", "413", "429", "503"}) answers[code] = answers["400"];
  nlohmann::json operation = {
      {"summary", path.summary},
      {"security", nlohmann::json::array({{{"writeKey", nlohmann::json::array()}}})},
      {"requestBody", {{"required", true}, {"content", {{"application/json", {{"schema", {{"type", "object"}}}}}}}}},
      {"responses", answers}};
  if (const auto parameters = Parameters(path.path, path.query); !parameters.empty()) {
    operation["parameters"] = parameters;
  }
  return operation;
}

nlohmann::json RouteOperation(const Route& route) {
  nlohmann::json operation = {{"summary", route.summary},
                              {"responses", Answers(route.access != Access::kOpen, route.content_type)}};
  if (const auto parameters = Parameters(route.path, route.query); !parameters.empty()) {
    operation["parameters"] = parameters;
  }
  if (const auto body = BodyOf(route); !body.is_null()) {
    operation["requestBody"] = {{"required", true}, {"content", {{"application/json", {{"schema", body}}}}}};
  }
  if (route.method == std::string_view("DELETE")) {
    operation["responses"]["204"] = {{"description", "Done"}};
    operation["responses"].erase("200");
  }
  if (BeginsStudy(route)) {
    operation["responses"]["202"] = {
        {"description", "Begun, as the header Prefer: respond-async asks; Location says where to look"}};
    for (const char* code : {"422", "429", "503"}) operation["responses"][code] = operation["responses"]["400"];
  }
  if (route.access == Access::kApiKey || route.access == Access::kOperator) {
    operation["security"] = nlohmann::json::array({{{"apiKey", nlohmann::json::array()}}});
  } else if (route.access == Access::kAnyKey) {
    operation["security"] =
        nlohmann::json::array({{{"writeKey", nlohmann::json::array()}}, {{"apiKey", nlohmann::json::array()}}});
    for (const char* code : {"413", "429"}) operation["responses"][code] = operation["responses"]["400"];
  }
  return operation;
}

std::string OpenApiDocument(const Protocols& protocols) {
  nlohmann::json paths = nlohmann::json::object();
  for (const Route& route : Routes()) {
    std::string method = route.method;
    for (char& c : method) c = static_cast<char>(std::tolower(c));
    paths[route.path][method] = RouteOperation(route);
  }
  for (const ProtocolPath& path : protocols.paths()) {
    if (!path.is_dry_run) paths[std::string(path.path)]["post"] = UploadOperation(path);
  }
  const nlohmann::json document = {
      {"openapi", "3.1.0"},
      {"info",
       {{"title", "attune"}, {"version", "1"}, {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
      {"paths", paths},
      {"components",
       {{"securitySchemes",
         {{"apiKey", {{"type", "http"}, {"scheme", "bearer"}}}, {"writeKey", {{"type", "http"}, {"scheme", "basic"}}}}},
        {"schemas",
         {{"Problem",
           {{"type", "object"},
            {"required", {"type", "title", "status", "code"}},
            {"properties",
             {{"type", {{"type", "string"}}},
              {"title", {{"type", "string"}}},
              {"status", {{"type", "integer"}}},
              {"detail", {{"type", "string"}}},
              {"code", {{"type", "string"}}}}}}}}}}}};
  return document.dump(2);
}

}  // namespace

OpenApiResource::OpenApiResource(RequestRouter* router, const Protocols* protocols) {
  router->On("GET /openapi.json", [document = OpenApiDocument(*protocols)](Call call) { call.Json(document); });
}

}  // namespace attune

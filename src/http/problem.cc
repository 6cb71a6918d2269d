#include "http/problem.h"

#include <string>

namespace attune {
namespace {

void AppendMember(std::string_view name, std::string_view value, std::string* out) {
  out->push_back(',');
  AppendJsonString(name, out);
  out->push_back(':');
  AppendJsonString(value, out);
}

void AppendMember(const ProblemField& field, std::string* out) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    AppendMember(field.name, *text, out);
    return;
  }
  out->push_back(',');
  AppendJsonString(field.name, out);
  out->push_back(':');
  if (const auto* number = std::get_if<int64_t>(&field.value)) {
    out->append(std::to_string(*number));
  } else {
    out->append(std::get<bool>(field.value) ? "true" : "false");
  }
}

}  // namespace

Response Problem(Code code, std::string_view detail, const std::vector<ProblemField>& extra) {
  const CodeInfo& info = InfoOf(code);
  const int status = info.status != 0 ? info.status : 500;
  std::string body = "{\"type\":";
  AppendJsonString("https://attune.invalid/problems/" + std::string(info.text), &body);
  AppendMember("title", info.meaning, &body);
  AppendMember(ProblemField{"status", int64_t{status}}, &body);
  if (!detail.empty() && status < 500) AppendMember("detail", detail, &body);
  AppendMember("code", info.text, &body);
  for (const ProblemField& field : extra) AppendMember(field, &body);
  body.push_back('}');
  Response response;
  response.status = status;
  response.content_type = "application/problem+json; charset=utf-8";
  response.body = std::move(body);
  // That the process is stopping is reported once, when it starts to stop.
  if (status >= 500 && code != Code::kDraining) response.trouble = detail;
  return response;
}

}  // namespace attune

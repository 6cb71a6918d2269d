#include "api/segments.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "api/after_all_shards.h"
#include "base/json.h"
#include "log/shard_of.h"

namespace attune {
namespace {

// {"name","description","size"}, to be closed by the caller.
std::string SegmentHead(const Segment& segment, uint64_t size) {
  std::string json = "{\"name\":";
  AppendJsonString(segment.name, &json);
  json += ",\"description\":";
  AppendJsonString(segment.description, &json);
  return json + fmt::format(",\"size\":{}", size);
}

std::string SizesJson(const std::vector<SizePoint>& points) {
  std::string json = "[";
  for (const SizePoint& point : points) {
    if (json.size() > 1) json += ',';
    json += fmt::format("{{\"at\":\"{}\",\"size\":{}}}", FormatRfc3339(point.at), point.size);
  }
  return json + ']';
}

// Visits the shards one after the other, each on its own thread, until a page is full.
struct MembersPage {
  Runtime* runtime;
  std::function<void(std::string)> answer;
  std::string segment;
  size_t limit;
  size_t found = 0;
  std::string json = "{\"users\":[";

  static void Continue(std::shared_ptr<MembersPage> page, int shard, uint32_t slot) {
    if (shard == kShards) return page->answer(page->json + "],\"next\":null}");
    page->runtime->Ask(static_cast<uint8_t>(shard), [page, shard, slot](Shard& owner) {
      const auto& users = owner.engine().users();
      const auto segment =
          owner.engine().program().FindSegment(page->segment);  // the plan may have changed since the request
      for (uint32_t i = slot; segment && i < users.size(); ++i) {
        if (!users[i].Holds(*segment)) continue;
        if (page->found == page->limit) {
          return page->answer(page->json + fmt::format("],\"next\":\"{}.{}\"}}", shard, i));
        }
        if (page->found++ > 0) page->json += ',';
        page->json += "{\"user\":";
        AppendJsonString(users[i].id(), &page->json);
        page->json += ",\"since\":\"" + FormatRfc3339(users[i].Since(*segment)) + "\"}";
      }
      Continue(page, shard + 1, 0);
    });
  }
};

// `12.3456`: the shard and the user's place in it.
bool ReadCursor(const std::string& text, int* shard, uint32_t* slot) {
  int read = 0;
  return std::sscanf(text.c_str(), "%2d.%9u%n", shard, slot, &read) == 2 && static_cast<size_t>(read) == text.size() &&
         *shard >= 0 && *shard < kShards;
}

}  // namespace

SegmentsResource::SegmentsResource(RequestRouter* router, Runtime* runtime) : runtime_(*runtime) {
  router->On("GET /v1/segments", [this](Call call) { List(std::move(call)); });
  router->On("GET /v1/segments/{name}", [this](Call call) { Show(std::move(call)); });
  router->On("GET /v1/segments/{name}/users", [this](Call call) { ListMembers(std::move(call)); });
}

void SegmentsResource::List(Call call) {
  if (!call.CheckPosition(runtime_.durable_sequence())) return;
  auto shared = std::make_shared<Call>(std::move(call));
  AfterAllShards(&runtime_, [this, shared] {
    const auto plan_state = runtime_.plan_state();
    const Program& program = plan_state->program();
    std::string json = "{\"segments\":[";
    for (size_t i = 0; i < program.plan->segments.size(); ++i) {
      if (i > 0) json += ',';
      json += SegmentHead(program.plan->segments[i], plan_state->SegmentSize(program.condition_of_segment[i])) + '}';
    }
    shared->Json(json + "]}");
  });
}

void SegmentsResource::Show(Call call) {
  if (!call.CheckPosition(runtime_.durable_sequence())) return;
  auto shared = std::make_shared<Call>(std::move(call));
  AfterAllShards(&runtime_, [this, shared] {
    const std::string& name = shared->names[0];
    const auto plan_state = runtime_.plan_state();
    const Segment* segment = plan_state->plan().FindSegment(name);
    if (!segment) return shared->reply.Send(Problem(Code::kUnknownSegment, name));
    const ConditionId condition = *plan_state->program().FindSegment(name);
    const uint64_t size = plan_state->SegmentSize(condition);
    std::vector<SizePoint> sizes = plan_state->SegmentSizes(condition);
    if (sizes.empty() || sizes.back().size != size) sizes.push_back({runtime_.Now(), size});
    std::string json = SegmentHead(*segment, size) + ",\"when\":";
    AppendJsonString(ToText(*segment->when), &json);
    shared->Json(json + ",\"sizes\":" + SizesJson(sizes) + '}');
  });
}

void SegmentsResource::ListMembers(Call call) {
  const auto limit = call.Number("limit", 100, 1, 1000);
  if (!limit || !call.CheckPosition(runtime_.durable_sequence())) return;
  const std::string name = call.names[0];
  if (!runtime_.plan_state()->plan().FindSegment(name)) {
    return call.reply.Send(Problem(Code::kUnknownSegment, call.names[0]));
  }
  int shard = 0;
  uint32_t slot = 0;
  const auto cursor = call.request.QueryParameter("cursor");
  if (cursor && !ReadCursor(*cursor, &shard, &slot)) {
    return call.reply.Send(Problem(Code::kInvalidParameter, "cursor: expected the `next` of an earlier answer"));
  }
  auto shared = std::make_shared<Call>(std::move(call));
  auto page = std::make_shared<MembersPage>();
  page->runtime = &runtime_;
  page->answer = [shared](std::string json) { shared->Json(std::move(json)); };
  page->segment = name;
  page->limit = static_cast<size_t>(*limit);
  AfterAllShards(&runtime_, [page, shard, slot] { MembersPage::Continue(page, shard, slot); });
}

}  // namespace attune

#include "api/letter_replays.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "api/after_all_shards.h"
#include "ingest/letter_replay.h"
#include "language/token.h"

namespace attune {
namespace {

struct AskedReplay {
  std::optional<LetterReplay::Options> options;
  std::string wrong;  // when there are no options
};

AskedReplay ReadReplay(const std::string& text) {
  AskedReplay asked;
  const auto body = nlohmann::json::parse(text, nullptr, false);
  const auto wrong = [&](std::string detail) {
    asked.wrong = std::move(detail);
    return asked;
  };
  if (!body.is_object() || !body.contains("filter") || !body["filter"].is_object()) {
    return wrong(
        "expected a JSON object such as {\"filter\": {\"reason\": \"unknown_event\"}}; an empty filter takes all");
  }
  bool dry_run = false;
  std::optional<Millis> oldest_event;
  for (const auto& [name, value] : body.items()) {
    if (name == "dry_run" && value.is_boolean()) {
      dry_run = value.get<bool>();
    } else if (name == "dry_run") {
      return wrong(fmt::format("dry_run: expected true or false, found {}", value.type_name()));
    } else if (name == "oldest_event") {
      Millis span = 0;
      if (!value.is_string() || !ParseDuration(value.get<std::string>(), &span) || span <= 0) {
        return wrong("oldest_event: expected a duration such as \"7300d\"");
      }
      oldest_event = span;
    } else if (name != "filter") {
      return wrong(fmt::format("expected \"filter\", \"dry_run\" or \"oldest_event\", found \"{}\"", name));
    }
  }
  const std::string known = fmt::format(" {} ", LetterFilter::kParameters);
  for (const auto& [name, value] : body["filter"].items()) {
    if (name.find(' ') != std::string::npos || known.find(" " + name + " ") == std::string::npos) {
      return wrong(fmt::format("filter: expected one of {}, found \"{}\"", LetterFilter::kParameters, name));
    }
    if (!value.is_string()) {
      return wrong(fmt::format("filter.{}: expected a string, found {}", name, value.type_name()));
    }
  }
  auto filter = LetterFilter::Read([&](std::string_view name) -> std::optional<std::string> {
    const auto found = body["filter"].find(std::string(name));
    if (found == body["filter"].end()) return std::nullopt;
    return found->get<std::string>();
  });
  if (!filter.ok()) return wrong("filter." + filter.error().message);
  if (filter->replayed_only()) return wrong("filter.state: what was replayed is not replayed again");
  asked.options = LetterReplay::Options{std::move(*filter), dry_run, oldest_event};
  return asked;
}

}  // namespace

LetterReplaysResource::LetterReplaysResource(RequestRouter* router, Runtime* runtime, const DeadLetters* letters,
                                             const Protocols* protocols, StudiesResource* studies)
    : runtime_(*runtime), letters_(*letters), protocols_(*protocols), studies_(*studies) {
  router->On("POST /v1/dead-letters/replay", [this](Call call) { Begin(std::move(call)); });
  studies->AddShowAndCancel("/v1/dead-letters/replay/{id}");
}

void LetterReplaysResource::Begin(Call call) {
  if (!call.CheckPosition(runtime_.durable_sequence())) return;
  AskedReplay asked = ReadReplay(call.request.body);
  if (!asked.options) return call.reply.Send(Problem(Code::kInvalidBody, asked.wrong));
  auto shared = std::make_shared<Call>(std::move(call));
  // Behind each loop's queue: what was refused or replayed before this call is in the store by then.
  AfterAllShards(&runtime_, [this, shared, options = *asked.options] {
    runtime_.WhenStored([=, this] {
      studies_.Begin(std::move(*shared), [this, options](StudyProgress* progress) {
        return LetterReplay(&runtime_, &letters_, &protocols_, runtime_.plan_state()->program().plan, options)
            .Run(progress);
      });
    });
  });
}

}  // namespace attune

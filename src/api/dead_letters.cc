#include "api/dead_letters.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "api/after_all_shards.h"
#include "base/json.h"
#include "dead_letter/dead_letters.h"
#include "dead_letter/letter_filter.h"
#include "state/keyspace.h"

namespace attune {
namespace {

constexpr size_t kSliceLetters = 500;           // visited before it is another answer's turn
constexpr size_t kSliceBytes = 128 << 10;       // and written
constexpr size_t kMostUnreadBytes = 256 << 10;  // a client gets no more while this much waits for it
constexpr size_t kMostGroups = 10'000;

using Turn = BackgroundResponder::Turn;

// Reads letters, newest first, a slice at a time.
class LetterWalk {
 public:
  LetterWalk(const Store* store, LetterFilter filter, std::string from)
      : store_(*store), filter_(std::move(filter)), next_(std::move(from)) {}

  // Calls `take` with each letter of one slice that the filter selects, until it returns false: the next slice begins
  // with that letter.
  template <typename Take>
  Status Slice(const Take& take) {
    size_t seen = 0;
    bool stopped = false;
    const Status read = store_.ForEach(
        keys::kDeadLetters,
        [&](std::string_view name, std::string_view json) {
          if (seen++ == kSliceLetters) {
            next_ = name;
            return !(stopped = true);
          }
          const KeptLetter letter(name, json);
          if (!filter_.Takes(letter) || take(letter)) return true;
          next_ = name;
          return !(stopped = true);
        },
        next_);
    done_ = read.ok() && !stopped;
    return read;
  }
  bool done() const { return done_; }
  const std::string& next() const { return next_; }

 private:
  const Store& store_;
  const LetterFilter filter_;
  std::string next_;
  bool done_ = false;
};

struct LetterGroup {
  uint64_t letters = 0;
  uint64_t repeats = 0;
  std::string example;
  std::string first, last;  // as JSON
};

// Of (reason, field, event), as JSON.
using Groups = std::map<std::array<std::string, 3>, LetterGroup>;

void AddTo(Groups* groups, const KeptLetter& letter, uint64_t* left_out) {
  std::array<std::string, 3> of = {std::string(letter.reason), std::string(letter.field),
                                   letter.event_name.empty() ? "null" : std::string(letter.event_name)};
  auto found = groups->find(of);
  if (found == groups->end()) {
    if (groups->size() == kMostGroups) return ++*left_out, void();
    found = groups->emplace(std::move(of), LetterGroup()).first;
    found->second.example = letter.name;  // the newest
    found->second.first = found->second.last = letter.received;
  }
  LetterGroup& group = found->second;
  ++group.letters;
  group.repeats += letter.repeats;
  // Times of one length, which sort as text.
  group.first = std::min(group.first, std::string(letter.received));
  group.last = std::max(group.last, std::string(letter.last_received));
}

std::string GroupsJson(const Groups& groups, size_t limit, uint64_t left_out) {
  std::vector<const Groups::value_type*> sorted;
  for (const auto& group : groups) sorted.push_back(&group);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto* a, const auto* b) { return a->second.letters > b->second.letters; });
  std::string json = "{\"groups\":[";
  for (size_t i = 0; i < sorted.size(); ++i) {
    const auto& [of, group] = *sorted[i];
    if (i >= limit) {
      left_out += group.letters;
      continue;
    }
    json += fmt::format(
        "{}{{\"reason\":{},\"field\":{},\"event\":{},\"letters\":{},\"repeats\":{},\"first\":{},\"last\":{},\"example\":\"{}\"}}",
        i == 0 ? "" : ",", of[0], of[1], of[2], group.letters, group.repeats, group.first, group.last, group.example);
  }
  return json + fmt::format("],\"left_out\":{}}}", left_out);
}

// Which dead letters are asked for. nullopt: the request has been answered.
std::optional<LetterFilter> FilterOf(Call* call) {
  auto filter = LetterFilter::Read([call](std::string_view name) { return call->request.QueryParameter(name); });
  if (filter.ok()) return std::move(*filter);
  call->reply.Send(Problem(Code::kInvalidParameter, filter.error().message));
  return std::nullopt;
}

}  // namespace

DeadLettersResource::DeadLettersResource(RequestRouter* router, Runtime* runtime, BackgroundResponder* background,
                                         RefusedRequests* refused, const std::atomic<bool>* draining)
    : runtime_(*runtime), background_(*background), refused_(*refused), draining_(*draining) {
  router->On("GET /v1/dead-letters", [this](Call call) { List(std::move(call)); });
  router->On("GET /v1/dead-letters/groups", [this](Call call) { Group(std::move(call)); });
  router->On("GET /v1/dead-letters/export", [this](Call call) { Export(std::move(call)); });
  router->On("GET /v1/dead-letters/{id}", [this](Call call) { Show(std::move(call)); });
}

void DeadLettersResource::AnswerInBackground(std::shared_ptr<Call> call, BackgroundResponder::Work work) {
  // Behind the queues of the loops and of the store, so that every letter whose request was answered is stored before
  // the store is read.
  AfterAllShards(&runtime_, [this, call, work = std::move(work)] {
    runtime_.WhenStored([this, call, work] {
      if (background_.Begin(work)) return;
      Response response = draining_ ? Later(Code::kDraining, "the server is shutting down")
                                    : Later(Code::kOverloaded, "many long questions are being answered");
      call->reply.Send(refused_.Count(draining_ ? Code::kDraining : Code::kOverloaded, std::move(response)));
    });
  });
}

void DeadLettersResource::List(Call call) {
  const auto limit = call.Number("limit", 100, 1, 1000);
  if (!limit || !call.CheckPosition(runtime_.durable_sequence())) return;
  auto filter = FilterOf(&call);
  if (!filter) return;
  const std::string cursor = call.request.QueryParameter("cursor").value_or("");
  if (!cursor.empty() && !SequenceOfLetter(cursor)) {
    return call.reply.Send(Problem(Code::kInvalidParameter, "cursor: expected the `next` of an earlier answer"));
  }
  struct Page {
    LetterWalk walk;
    size_t found = 0;
    std::string json = "{\"dead_letters\":[";
  };
  auto page = std::make_shared<Page>(Page{LetterWalk(&runtime_.store(), std::move(*filter), cursor)});
  auto shared = std::make_shared<Call>(std::move(call));
  AnswerInBackground(shared, [shared, page, limit = static_cast<size_t>(*limit)] {
    bool full = false;
    const Status read = page->walk.Slice([&](const KeptLetter& letter) {
      if (page->found == limit) {
        full = true;
        return false;
      }
      if (page->found++ > 0) page->json += ',';
      page->json += letter.ToJson();
      return true;
    });
    if (!read.ok()) {
      shared->reply.Send(Problem(Code::kStorageFailed, "storage cannot be read"));
    } else if (full || page->walk.done()) {
      shared->Json(page->json + "],\"next\":" + (full ? '"' + page->walk.next() + '"' : "null") + "}");
    } else {
      return Turn::kAgain;
    }
    return Turn::kDone;
  });
}

void DeadLettersResource::Group(Call call) {
  const auto limit = call.Number("limit", 100, 1, 1000);
  if (!limit || !call.CheckPosition(runtime_.durable_sequence())) return;
  auto filter = FilterOf(&call);
  if (!filter) return;
  struct Count {
    LetterWalk walk;
    Groups groups;
    uint64_t left_out = 0;
  };
  auto count = std::make_shared<Count>(Count{LetterWalk(&runtime_.store(), std::move(*filter), ""), {}, 0});
  auto shared = std::make_shared<Call>(std::move(call));
  AnswerInBackground(shared, [shared, count, limit = static_cast<size_t>(*limit)] {
    const Status read = count->walk.Slice([&](const KeptLetter& letter) {
      AddTo(&count->groups, letter, &count->left_out);
      return true;
    });
    if (!read.ok()) {
      shared->reply.Send(Problem(Code::kStorageFailed, "storage cannot be read"));
    } else if (count->walk.done()) {
      shared->Json(GroupsJson(count->groups, limit, count->left_out));
    } else {
      return Turn::kAgain;
    }
    return Turn::kDone;
  });
}

void DeadLettersResource::Export(Call call) {
  if (!call.CheckPosition(runtime_.durable_sequence())) return;
  auto filter = FilterOf(&call);
  if (!filter) return;
  struct Export {
    LetterWalk walk;
    StreamWriter writer;
    bool begun = false;
  };
  auto exported = std::make_shared<Export>(Export{LetterWalk(&runtime_.store(), std::move(*filter), ""), {}});
  auto shared = std::make_shared<Call>(std::move(call));
  AnswerInBackground(shared, [shared, exported] {
    if (!exported->begun) {
      exported->begun = true;
      Response head{200, "application/x-ndjson; charset=utf-8", {{"Cache-Control", "no-store"}}, ""};
      head.headers.emplace_back("Content-Disposition", "attachment; filename=\"dead_letters.ndjson\"");
      exported->writer = shared->reply.Stream(std::move(head));
    }
    if (!exported->writer.open()) return Turn::kDone;
    if (exported->writer.waiting_bytes() > kMostUnreadBytes) return Turn::kWait;
    std::string lines;
    const Status read = exported->walk.Slice([&](const KeptLetter& letter) {
      if (lines.size() > kSliceBytes) return false;
      lines += letter.ToJson();
      lines += '\n';
      return true;
    });
    if (!exported->writer.Write(lines) || !read.ok() || exported->walk.done()) return Turn::kDone;
    return Turn::kAgain;
  });
}

void DeadLettersResource::Show(Call call) {
  if (!call.CheckPosition(runtime_.durable_sequence())) return;
  auto shared = std::make_shared<Call>(std::move(call));
  AnswerInBackground(shared, [this, shared] {
    const std::string& name = shared->names[0];
    const auto kept = SequenceOfLetter(name) ? runtime_.store().Get(keys::kDeadLetters, name)
                                             : Result<std::optional<std::string>>(std::nullopt);
    if (!kept.ok()) {
      shared->reply.Send(Problem(Code::kStorageFailed, "storage cannot be read"));
    } else if (!*kept) {
      shared->reply.Send(Problem(Code::kUnknownDeadLetter, name));
    } else {
      shared->Json(KeptLetter(name, **kept).ToJson());
    }
    return Turn::kDone;
  });
}

}  // namespace attune

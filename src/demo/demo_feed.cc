#include "demo/demo_feed.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "base/check.h"
#include "base/hash.h"
#include "base/json.h"
#include "http/client.h"

namespace attune {
namespace {

constexpr size_t kBatchEvents = 900;        // upper bound of a batch
constexpr Millis kOpenLength = 16 * kHour;  // the shop's day: the last hours of a calendar day
constexpr Millis kClickMin = 20 * kSecond;  // between two clicks of the history
constexpr Millis kClickMax = 90 * kSecond;
constexpr Millis kLookEvery = 100;  // how often to check for due events and for a stop
constexpr int kReconnects = 5;

// A number in [0, range), the same for the same two numbers on every machine.
uint64_t Spread(uint64_t a, uint64_t b, uint64_t range) {
  return Hash64(std::to_string(a) + ":" + std::to_string(b)) % range;
}

std::string VisitorOf(const DemoVisit& visit) { return "visitor-" + std::to_string(visit.number); }

// Returns the calendar day of each day of the data up to `today`. `now` is in the last one.
std::vector<Zone::Period> CalendarDays(const Zone& zone, Millis now, int today) {
  std::vector<Zone::Period> days(static_cast<size_t>(today) + 1);
  days.back() = zone.DayAt(now);
  for (size_t i = days.size() - 1; i > 0; --i) days[i - 1] = zone.DayAt(days[i].begin - 1);
  return days;
}

// The time of each click of a visit, which is number `rank` of the `count` visits on its day.
std::vector<Millis> ClickTimes(const DemoVisit& visit, const Zone::Period& day, size_t rank, size_t count) {
  constexpr uint64_t kParts = 1000;
  const uint64_t number = static_cast<uint64_t>(visit.number);
  const Millis length = std::min(kOpenLength, day.end - day.begin);
  const uint64_t part = rank * kParts + Spread(number, 0, kParts);
  Millis at = day.end - length + length * static_cast<Millis>(part) / static_cast<Millis>(count * kParts);
  std::vector<Millis> times;
  for (size_t i = 0; i < visit.clicks.size(); ++i) {
    if (i > 0) at += kClickMin + static_cast<Millis>(Spread(number, i, kClickMax - kClickMin + 1));
    times.push_back(at);
  }
  return times;
}

}  // namespace

void DemoBatch::Begin(std::string_view type, std::string_view user, std::string_view id, Millis at) {
  text_ += text_.empty() ? "{\"batch\":[" : ",\n";
  text_.append("{\"type\":\"").append(type).append("\",\"anonymousId\":\"").append(user);
  text_.append("\",\"messageId\":\"").append(user).append(":").append(id).append("\",");
  if (at != kNever) text_.append("\"timestamp\":\"").append(FormatRfc3339(at)).append("\",");
  ++events_;
}

void DemoBatch::AddCountry(std::string_view user, std::string_view country, Millis at) {
  Begin("identify", user, "country", at);
  text_ += "\"traits\":{\"country\":";
  AppendJsonString(country, &text_);
  text_ += "}}";
}

void DemoBatch::AddClick(std::string_view user, size_t index, const DemoVisit& visit, Millis at) {
  Begin("track", user, std::to_string(index + 1), at);
  text_.append("\"event\":\"product_viewed\",\"properties\":{");
  text_.append(visit.clicks[index]->properties).append("}");
  if (!visit.country.empty()) {
    text_ += ",\"context\":{\"country\":";
    AppendJsonString(visit.country, &text_);
    text_ += '}';
  }
  text_ += '}';
}

void DemoBatch::AddStep(std::string_view user, size_t index, const DemoShopper::Step& step, Millis at) {
  Begin("track", user, std::to_string(index + 1), at);
  text_.append("\"event\":\"").append(step.event).append("\",\"properties\":{\"product_id\":\"");
  text_.append(step.article).append("\",\"shop\":\"otto\"}}");
}

std::string DemoBatch::Take() {
  std::string body = std::move(text_) + "]}";
  text_.clear();
  events_ = 0;
  return body;
}

DemoHistory::DemoHistory(const DemoData& data, const Zone& zone, Millis now, int today) : data_(data) {
  const auto days = CalendarDays(zone, now, today);
  const auto& visits = data.visits();
  for (size_t first = 0; first < visits.size();) {
    size_t end = first;
    while (end < visits.size() && visits[end].day == visits[first].day) ++end;
    for (size_t i = first; i < end; ++i) {
      const DemoVisit& visit = visits[i];
      std::vector<Millis> times;
      if (visit.day <= today) {
        times = ClickTimes(visit, days[static_cast<size_t>(visit.day)], i - first, end - first);
      }
      if (times.empty() || times.back() > now) {
        rest_.push_back(&visit);
        continue;
      }
      events_ += times.size() + (visit.country.empty() ? 0 : 1);
      visits_.push_back({&visit, std::move(times)});
    }
    first = end;
  }
  Millis last = kAlways;
  for (const DemoShopper& shopper : data.shoppers()) {
    events_ += shopper.steps.size();
    last = std::max(last, shopper.steps.back().at);
  }
  if (last != kAlways) shopper_shift_ = (now - last) / kDay * kDay;
}

bool DemoHistory::Next(DemoBatch* batch) {
  while (batch->events() < kBatchEvents && next_shopper_ < data_.shoppers().size()) {
    const DemoShopper& shopper = data_.shoppers()[next_shopper_];
    if (batch->events() > 0 && batch->events() + shopper.steps.size() > kBatchEvents) return true;
    const std::string user = "otto-" + std::string(shopper.number);
    for (size_t i = 0; i < shopper.steps.size(); ++i) {
      batch->AddStep(user, i, shopper.steps[i], shopper.steps[i].at + shopper_shift_);
    }
    ++next_shopper_;
  }
  while (batch->events() < kBatchEvents && next_visit_ < visits_.size()) {
    const Timed& timed = visits_[next_visit_];
    if (batch->events() > 0 && batch->events() + timed.clicks.size() + 1 > kBatchEvents) return true;
    const std::string user = VisitorOf(*timed.visit);
    if (!timed.visit->country.empty()) {
      batch->AddCountry(user, timed.visit->country, timed.clicks.front());
    }
    for (size_t i = 0; i < timed.clicks.size(); ++i) {
      batch->AddClick(user, i, *timed.visit, timed.clicks[i]);
    }
    ++next_visit_;
  }
  return batch->events() > 0;
}

DemoStream::DemoStream(const DemoData& data, std::vector<const DemoVisit*> visits, Millis begin, const DemoPace& pace)
    : data_(data), visits_(std::move(visits)), pace_(pace) {
  ATTUNE_CHECK(!visits_.empty(), "a stream plays something");
  visitors_.resize(static_cast<size_t>(pace.visitors));
  for (size_t i = 0; i < visitors_.size(); ++i) {  // they arrive one by one
    visitors_[i].due = begin + static_cast<Millis>(i) * pace.slowest_ms / pace.visitors;
  }
}

Millis DemoStream::next_due() const {
  Millis due = kNever;
  for (const Visitor& visitor : visitors_) due = std::min(due, visitor.due);
  return due;
}

void DemoStream::TakeDue(Millis now, DemoBatch* batch) {
  for (Visitor& visitor : visitors_) {
    if (visitor.due > now) continue;
    if (!visitor.visit && !visitor.shopper) Arrive(&visitor);
    Act(&visitor, batch);
    visitor.due = now + Pause(visitor);
  }
}

void DemoStream::Arrive(Visitor* visitor) {
  const bool shopper = begun_++ % static_cast<uint64_t>(pace_.shopper_every) == 0;
  visitor->done = 0;
  if (shopper && !data_.shoppers().empty()) {
    const auto& all = data_.shoppers();
    visitor->shopper = &all[shoppers_begun_ % all.size()];
    const uint64_t round = shoppers_begun_++ / all.size() + 1;
    visitor->user = "otto-" + std::string(visitor->shopper->number) + "-r" + std::to_string(round);
    return;
  }
  visitor->visit = visits_[visits_begun_ % visits_.size()];
  const uint64_t round = visits_begun_++ / visits_.size() + 1;
  visitor->user = VisitorOf(*visitor->visit);
  if (round > 1) visitor->user += "-r" + std::to_string(round);
}

void DemoStream::Act(Visitor* visitor, DemoBatch* batch) {
  const size_t index = visitor->done++;
  if (visitor->shopper) {
    batch->AddStep(visitor->user, index, visitor->shopper->steps[index], kNever);
    if (visitor->done == visitor->shopper->steps.size()) visitor->shopper = nullptr;
    return;
  }
  const DemoVisit& visit = *visitor->visit;
  if (index == 0 && !visit.country.empty()) {
    batch->AddCountry(visitor->user, visit.country, kNever);
  }
  batch->AddClick(visitor->user, index, visit, kNever);
  if (visitor->done == visit.clicks.size()) visitor->visit = nullptr;
}

Millis DemoStream::Pause(const Visitor& visitor) const {
  const uint64_t range = static_cast<uint64_t>(pace_.slowest_ms - pace_.fastest_ms + 1);
  return pace_.fastest_ms + static_cast<Millis>(Spread(Hash64(visitor.user), visitor.done, range));
}

namespace {

// One connection, reconnected when it is lost.
class DemoSender {
 public:
  DemoSender(const DemoFeedOptions& options, const std::atomic<bool>& stop) : options_(options), stop_(stop) {}

  // Also ok when stopped before the batch was accepted.
  Status Send(const char* path, const std::string& body) {
    const ClientHeaders headers = {{"Content-Type", "application/json"}, {"X-Write-Key", options_.write_key}};
    for (int lost = 0; !stop_;) {
      auto answer = Call(path, headers, body);
      if (!answer.ok()) {
        client_.reset();
        if (++lost > kReconnects) return answer.error();
        Wait(kSecond);
        continue;
      }
      if (answer->status < 300) return Status();
      if (answer->status != 429 && answer->status != 503) {
        return Error{ErrorCode::kInvalid, "the demo's events were refused with status " +
                                              std::to_string(answer->status) + ": " + answer->body};
      }
      Wait(RetryAfter(*answer));
    }
    return Status();
  }

  // Returns early when stopped.
  void Wait(Millis duration) const {
    for (Millis left = duration; left > 0 && !stop_; left -= kLookEvery) {
      std::this_thread::sleep_for(std::chrono::milliseconds(std::min(left, kLookEvery)));
    }
  }

 private:
  Result<ClientResponse> Call(const char* path, const ClientHeaders& headers, const std::string& body) {
    if (!client_) {
      auto client = Client::Connect(options_.host, options_.port);
      if (!client.ok()) return client.error();
      client_ = std::move(*client);
    }
    return client_->Call("POST", path, headers, body);
  }

  static Millis RetryAfter(const ClientResponse& answer) {
    const auto seconds = answer.Header("Retry-After");
    const auto number = seconds ? ParseInstant(*seconds) : std::nullopt;
    return number ? std::clamp<Millis>(*number, 0, 60) * kSecond : kSecond;
  }

  const DemoFeedOptions& options_;
  const std::atomic<bool>& stop_;
  std::optional<Client> client_;
};

}  // namespace

Status FeedDemo(const DemoFeedOptions& options, const std::atomic<bool>& stop) {
  const auto zone = Zone::Find(kDemoZone);
  if (!zone.ok()) return zone.error();
  DemoSender sender(options, stop);
  DemoHistory history(DemoData::Embedded(), *zone, options.clock());
  DemoBatch batch;
  size_t done = 0;
  while (!stop && history.Next(&batch)) {
    done += batch.events();
    const Status sent = sender.Send("/v1/import", batch.Take());
    if (!sent.ok()) return sent;
    if (options.on_history) options.on_history(done, history.events());
  }
  DemoStream stream(DemoData::Embedded(), history.rest(), options.clock(), options.pace);
  while (!stop) {
    stream.TakeDue(options.clock(), &batch);
    if (batch.events() > 0) {
      const Status sent = sender.Send("/v1/batch", batch.Take());
      if (!sent.ok()) return sent;
    }
    sender.Wait(std::max(kLookEvery, stream.next_due() - options.clock()));
  }
  return Status();
}

}  // namespace attune

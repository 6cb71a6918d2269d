// Who sends: events and dead letters, un-merges, replays; in batches, again when no answer came, and
// sometimes although one did. Knows what was answered, and holds the log to it.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "oracle/random.h"
#include "oracle/record.h"
#include "simulator/chronicle.h"
#include "simulator/log_contents.h"
#include "simulator/machine.h"

namespace attune::simulate {

class Clients {
 public:
  // `records`, to be sent in their order, with so many letters among them.
  Clients(const std::vector<oracle::Record>* records, size_t letters, oracle::Random* random, Machine* machine, Chronicle* chronicle);

  bool HasMore() const { return !to_send_.empty() || !in_flight_.empty(); }
  // Whether all that must be was accepted.
  bool IsDone() const { return to_send_.empty(); }

  // Up to so many of what is to be sent next. Whether a link was among it.
  bool Send(size_t most);
  // By a client to whom the answer came, and who did not notice.
  void SendAgain();
  // A letter that was accepted becomes the next event.
  void Replay();
  void Unmerge(const std::string& id);

  // There is nobody left to answer.
  void OnProcessGone();
  // After a start: what was accepted is there, and nothing that nobody sent; what was not accepted is
  // to be sent again.
  bool TakeStock(const LogContents& log);
  // The record of the history that a record of the log is.
  const oracle::Record& RecordOf(const LogRecord& record) const { return (*records_)[*sent_[known_.at(record.payload)].record]; }

  const LifeCounts& counts() const { return counts_; }

 private:
  struct Sent {
    RecordType type = RecordType::kEvent;
    uint8_t shard = 0;             // of what is no event
    std::string payload;
    std::optional<size_t> record;  // of the history
    uint64_t sequence = 0;         // the first under which it was accepted; 0: it was not
  };
  struct Unmerged {
    std::string id;
    Millis at = 0;
    uint64_t sequence = 0;
  };
  // What an answer said is where in the log.
  struct Accepted {
    uint64_t sequence = 0;
    size_t sent = 0;
  };

  // Batches of `sent_`.
  void Deliver(std::vector<size_t> batch);
  void Answer(uint64_t request, const Status& durable, uint64_t first);
  bool IsKnown(const LogRecord& record) const;
  bool IsLink(size_t sent) const;

  const std::vector<oracle::Record>* records_;
  oracle::Random& random_;
  Machine& machine_;
  Chronicle& chronicle_;
  std::vector<Sent> sent_;
  std::map<std::string, size_t, std::less<>> known_;  // by payload, of what is no un-merge
  std::deque<size_t> to_send_;
  std::vector<Unmerged> unmerged_;
  std::vector<Accepted> accepted_;
  std::map<uint64_t, std::vector<size_t>> in_flight_;  // by request
  uint64_t requests_ = 0;
  uint64_t process_ = 0;  // answers of an earlier one reach nobody
  LifeCounts counts_;
};

}  // namespace attune::simulate

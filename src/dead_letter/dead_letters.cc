#include "dead_letter/dead_letters.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/json.h"
#include "event/json_text.h"
#include "log/shard_of.h"
#include "state/keyspace.h"

namespace attune {
namespace {

// A kept letter ends with the members that the store appends to the record's object.
constexpr std::string_view kTail = ",\"repeats\":";
constexpr std::string_view kTallyName = "dead_letters";
constexpr uint64_t kMostDropped = 256;  // in one batch

std::string WithTail(const KeptLetter& kept) {
  return fmt::format("{}{}{},\"last_received\":{},\"sequence\":{},\"replayed\":{}}}", kept.letter, kTail, kept.repeats, kept.last_received,
                     kept.sequence, kept.replayed_as ? std::to_string(*kept.replayed_as) : "null");
}

uint64_t NumberOf(std::string_view json) {
  uint64_t value = 0;
  std::from_chars(json.data(), json.data() + json.size(), value);
  return value;
}

// Repeats have the same identity. Empty: the letter has none and never counts as a repeat.
std::string IdentityOf(const KeptLetter& letter) {
  const std::string_view id = letter.is_request ? letter.digest : letter.message_id;
  if (!id.starts_with('"')) return "";
  return ToHex(Hash128(std::string(id) + ' ' + std::string(letter.reason)));
}

void AppendMember(std::string_view name, std::string_view text, std::string* out) {
  *out += fmt::format(",\"{}\":", name);
  if (text.empty()) {
    *out += "null";
  } else {
    AppendJsonString(text, out);
  }
}

uint64_t SizeOf(std::string_view name, std::string_view kept) { return name.size() + kept.size(); }

}  // namespace

std::string LetterName(uint64_t sequence) { return fmt::format("{:016x}", ~sequence); }

std::optional<uint64_t> SequenceOfLetter(std::string_view name) {
  uint64_t inverse = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), inverse, 16);
  if (error != std::errc() || end != name.data() + name.size() || name.size() != 16) return std::nullopt;
  return ~inverse;
}

std::string DeadLetterRecord(const DeadLetter& letter, Millis received) {
  std::string line = ToNdjson(letter);
  line.pop_back();
  line += fmt::format(",\"received\":\"{}\",\"errors\":[", FormatRfc3339(received));
  for (const EventError& error : letter.errors) {
    if (line.back() != '[') line += ',';
    AppendErrorJson(error, &line);
  }
  line += ']';
  AppendMember("messageId", letter.message_id, &line);
  AppendMember("name", letter.name, &line);
  AppendMember("sentAt", letter.sent_at ? FormatRfc3339(*letter.sent_at) : "", &line);
  line += fmt::format(",\"class\":\"{}\"", letter.body ? "request" : "event");
  if (letter.body) {
    line += fmt::format(",\"encoding\":\"{}\",\"truncated\":{},\"original_bytes\":{}", letter.body->is_base64 ? "base64" : "text",
                        letter.body->is_cut, letter.body->original_bytes);
    AppendMember("digest", letter.body->digest, &line);
  }
  return line + '}';
}

uint8_t ShardOfDeadLetter(const DeadLetter& letter) {
  if (letter.body) return ShardOf(letter.body->digest);
  if (!letter.message_id.empty()) return ShardOf(letter.message_id);
  const size_t open = letter.source.rfind('[');
  return static_cast<uint8_t>(open == std::string::npos ? 0 : NumberOf(std::string_view(letter.source).substr(open + 1)) % kShards);
}

std::string ReplayedRecord(uint64_t letter) {
  ByteWriter payload;
  payload.U64(letter);
  return payload.Take();
}

// --- one letter ---

KeptLetter::KeptLetter(std::string_view name, std::string_view json, From from) : name(name) {
  // The last occurrence of the tail's name is the tail: JSON from clients comes before it.
  const size_t tail = from == From::kStore ? json.rfind(kTail) : std::string_view::npos;
  letter = json.substr(0, tail == std::string_view::npos ? std::max<size_t>(json.size(), 1) - 1 : tail);
  JsonSlices members(json);
  while (members.Next()) {
    const std::string_view key = members.key(), value = members.value();
    if (key == "source") source = value;
    if (key == "reason") reason = value;
    if (key == "field") field = value;
    if (key == "detail") detail = value;
    if (key == "event") event = value;
    if (key == "received") received = value;
    if (key == "messageId") message_id = value;
    if (key == "name") event_name = value;
    if (key == "sentAt") sent_at = value;
    if (key == "class") is_request = value == "\"request\"";
    if (key == "encoding") encoding = value;
    if (key == "truncated") is_truncated = value == "true";
    if (key == "digest") digest = value;
    if (key == "repeats") repeats = NumberOf(value);
    if (key == "last_received") last_received = value;
    if (key == "sequence") sequence = NumberOf(value);
    if (key == "replayed" && value != "null") replayed_as = NumberOf(value);
  }
}

std::string KeptLetter::ToJson() const {
  std::string json = fmt::format("{{\"id\":\"{}\",", name);
  json += letter.substr(std::min<size_t>(letter.size(), 1));
  json += fmt::format(",\"repeats\":{},\"last_received\":{},\"sequence\":{},\"state\":\"{}\",\"replayed_as\":{}}}", repeats, last_received,
                      sequence, replayed_as ? "replayed" : "new", replayed_as ? std::to_string(*replayed_as) : "null");
  return json;
}

// --- all of them ---

bool DeadLetters::StoreRecord(const RecordView& record) {
  const std::lock_guard hold(mutex_);
  if (record.type == static_cast<uint8_t>(RecordType::kReplayed)) {
    return MarkReplayed(record.sequence, ByteReader(record.payload).U64());
  }
  if (!Keep(record.sequence, record.payload)) return false;
  Trim();
  return true;
}

void DeadLetters::SetStore(Store* store) {
  const std::lock_guard hold(mutex_);
  store_ = store;
  Restore();
  Trim();
}

void DeadLetters::AddMetrics(Metrics* metrics) const {
  metrics->Counter("attune_dead_letters_dropped_total", "Dead letters that went for others", [this] { return dropped(); });
  metrics->Gauge("attune_dead_letters_kept", "Dead letters in the store", [this] { return letters(); });
  metrics->Gauge("attune_dead_letters_kept_bytes", "What they take", [this] { return bytes(); });
}

uint64_t DeadLetters::letters() const {
  const std::lock_guard hold(mutex_);
  return tally_.events.letters + tally_.requests.letters;
}

uint64_t DeadLetters::bytes() const {
  const std::lock_guard hold(mutex_);
  return tally_.events.bytes + tally_.requests.bytes;
}

void DeadLetters::Restore() {
  const auto stored = store_->Get(keys::kConfig, kTallyName);
  if (stored.ok() && *stored) {
    ByteReader in(**stored);
    for (Share* share : {&tally_.events, &tally_.requests}) *share = {in.U64(), in.U64(), in.U64()};
    if (in.done()) return;
  }
  // A store of an older program without a tally: count once.
  tally_ = {};
  (void)store_->ForEach(keys::kDeadLetters, [&](std::string_view name, std::string_view kept) {
    Share& share = tally_.of(KeptLetter(name, kept).is_request);
    ++share.letters;
    share.bytes += SizeOf(name, kept);
    return true;
  });
}

bool DeadLetters::Write(WriteBatch* batch, const Tally& tally) {
  ByteWriter out;
  for (const Share* share : {&tally.events, &tally.requests}) {
    out.U64(share->letters);
    out.U64(share->bytes);
    out.U64(share->floor);
  }
  batch->Put(keys::kConfig, kTallyName, out.view());
  if (!store_->Write(*batch).ok()) return false;
  tally_ = tally;
  return true;
}

bool DeadLetters::Keep(uint64_t sequence, std::string_view payload) {
  std::string name = LetterName(sequence);
  const KeptLetter sent(name, payload, KeptLetter::From::kRecord);
  std::string known_name, known_letter;
  WriteBatch batch;
  if (const std::string identity = IdentityOf(sent); !identity.empty()) {
    const auto known = store_->Get(keys::kDeadLetterIds, identity);
    if (known.ok() && *known) {
      known_name = **known;
    } else {
      batch.Put(keys::kDeadLetterIds, identity, name);
    }
  }
  if (known_name.empty()) known_name = name;
  Tally tally = tally_;
  Share& share = tally.of(sent.is_request);
  KeptLetter kept = sent;
  const auto found = store_->Get(keys::kDeadLetters, known_name);
  if (found.ok() && *found) {
    known_letter = **found;
    kept = KeptLetter(known_name, known_letter);
    if (sequence <= kept.sequence || known_name == name) return true;
    ++kept.repeats;
    share.bytes -= SizeOf(known_name, known_letter);
  } else {
    if (sequence <= share.floor) return true;
    if (sent.is_request) batch.Put(keys::kDeadRequests, known_name, "");
    ++share.letters;
  }
  kept.last_received = sent.received;
  kept.sequence = sequence;
  const std::string written = WithTail(kept);
  share.bytes += SizeOf(known_name, written);
  batch.Put(keys::kDeadLetters, known_name, written);
  return Write(&batch, tally);
}

bool DeadLetters::MarkReplayed(uint64_t sequence, uint64_t letter) {
  const std::string name = LetterName(letter);
  const auto found = store_->Get(keys::kDeadLetters, name);
  if (!found.ok() || !*found) return found.ok();  // it was dropped to make room
  KeptLetter kept(name, **found);
  if (kept.replayed_as) return true;
  kept.replayed_as = sequence - 1;
  const std::string written = WithTail(kept);
  Tally tally = tally_;
  Share& share = tally.of(kept.is_request);
  share.bytes += written.size() - (*found)->size();
  WriteBatch batch;
  batch.Put(keys::kDeadLetters, name, written);
  return Write(&batch, tally);
}

// Drops in batches: many cost little more than one.
void DeadLetters::Trim() {
  const auto over = [&](uint64_t letters, uint64_t bytes) {
    return tally_.events.letters + tally_.requests.letters > letters || tally_.events.bytes + tally_.requests.bytes > bytes;
  };
  if (!over(quota_.letters + std::min<uint64_t>(quota_.letters / 100, kMostDropped), quota_.bytes + quota_.bytes / 100)) return;
  while (over(quota_.letters, quota_.bytes)) {
    if (!DropOldest(tally_.requests.letters > 0)) return;
  }
}

// All names up to the floor were dropped, so the search for the oldest skips them.
bool DeadLetters::DropOldest(bool request) {
  Tally tally = tally_;
  Share& share = tally.of(request);
  const uint64_t all = tally.events.letters + tally.requests.letters;
  const size_t most = std::clamp<uint64_t>(all - std::min(all, quota_.letters), 1, kMostDropped);
  std::vector<std::string> names;
  const auto take = [&](std::string_view oldest, std::string_view) {
    names.emplace_back(oldest);
    return names.size() < most;
  };
  const std::string before = LetterName(share.floor);
  if (!store_->ForEachBackwards(request ? keys::kDeadRequests : keys::kDeadLetters, take, before).ok()) return false;
  WriteBatch batch;
  for (const std::string& name : names) {
    const auto found = store_->Get(keys::kDeadLetters, name);
    if (!found.ok() || !*found) return false;
    batch.Delete(keys::kDeadLetters, name);
    if (request) batch.Delete(keys::kDeadRequests, name);
    if (const std::string identity = IdentityOf(KeptLetter(name, **found)); !identity.empty()) batch.Delete(keys::kDeadLetterIds, identity);
    --share.letters;
    share.bytes -= SizeOf(name, **found);
    share.floor = *SequenceOfLetter(name);
  }
  if (names.empty() || !Write(&batch, tally)) return false;
  dropped_ += names.size();
  return true;
}

}  // namespace attune

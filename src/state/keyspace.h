// Every key of the store. Keys are built only here.
//
//  key                          value
//  v                            format version of the store, decimal text; checked by Store::Open
//  u/<shard, 1 byte><user id>   the user's state, as the shard wrote it
//  s/<shard, 1 byte>            the shard's own state, with the log position that its users include
//  h/<shard, 1 byte><user><from><position>  log sequences of the user's records, the first being <from>; the snapshot
//                               at <position> wrote them. Key: the id, preceded by its length as a varint; both
//                               sequences big endian. Value: varints, each the difference from the one before it
//  h/<shard, 1 byte><user><from><position>i  from that record on the user's history includes another's. Value: a zero,
//                               the other's shard (1 byte), its id preceded by its length as a varint
//  e/<shard, 1 byte><at>        a user whose history became another's at that sequence: the user's state before that
//  l/<at><plan>                 the merge or un-merge of a record (its sequence big endian) under a plan
//  k/<key id>                   API keys
//  c/<name>                     configuration
//  p/<name>                     plans: the active one and the ones before it
//  d/<name>                     dead letters
//  i/<identity>                 the name of the dead letter with that message id and reason, or of that request
//  j/<name>                     empty: that dead letter is a whole request
//  z/<segment><0><hash><at>     the segment's size at an instant, decimal text; the hash is of its definition; hash and
//                               instant are 16 hexadecimal digits each
//  o/<sequence><index>          outbox: a group of effects that begins with this one, see src/effects/effect_group.h
//  n/<sequence><index>          a mark in the outbox, see src/effects/outbox_marks.h
//  q/<name>                     a consumer of the outbox, see src/effects/outbox_consumers.h
//  t/<shard, 1 byte>            the last record of the shard whose effects are in the outbox, u64
//  m/<name>                     models
//
// Sequence and index of an effect are 8 and 4 bytes, big endian, so that they sort as numbers do.
//
// A user id may be any bytes and has no terminator: it is the rest of the key. One column family holds everything: a
// batch over several is no cheaper, and each has write buffers of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace attune::keys {

// Raised when the meaning of a key or of the layout changes; older programs then refuse the store.
inline constexpr uint32_t kStoreVersion = 6;  // 1: no outbox, no index of histories; 2: no tally of dead letters,
                                              // does not keep who is known; 3: no included histories;
                                              // 4: no plans of links; 5: each effect has a value of its own
// Shards of a store with an older version are rebuilt from the log.
inline constexpr uint32_t kShardsSinceVersion = 3;
inline constexpr std::string_view kVersion = "v";

inline constexpr std::string_view kUsers = "u/";
inline constexpr std::string_view kShards = "s/";
inline constexpr std::string_view kHistory = "h/";
inline constexpr std::string_view kEnded = "e/";
inline constexpr std::string_view kLinks = "l/";
inline constexpr std::string_view kApiKeys = "k/";
inline constexpr std::string_view kConfig = "c/";
inline constexpr std::string_view kPlans = "p/";
inline constexpr std::string_view kDeadLetters = "d/";
inline constexpr std::string_view kDeadLetterIds = "i/";
inline constexpr std::string_view kDeadRequests = "j/";
inline constexpr std::string_view kSegmentSizes = "z/";
inline constexpr std::string_view kOutbox = "o/";
inline constexpr std::string_view kOutboxMarks = "n/";
inline constexpr std::string_view kOutboxConsumers = "q/";
inline constexpr std::string_view kOutboxPublished = "t/";
inline constexpr std::string_view kModels = "m/";

// Prefixes for WriteBatch::Put; users and shards have methods of their own.
inline constexpr std::string_view kNamed[] = {kHistory,     kEnded,         kLinks,        kApiKeys, kConfig,      kPlans,    kDeadLetters,
                                              kDeadLetterIds, kDeadRequests, kSegmentSizes, kOutbox, kOutboxMarks,
                                              kOutboxConsumers, kOutboxPublished, kModels};

inline std::string UsersOf(uint8_t shard) { return std::string(kUsers) + static_cast<char>(shard); }
inline std::string User(uint8_t shard, std::string_view id) { return UsersOf(shard).append(id); }
inline std::string Shard(uint8_t shard) { return std::string(kShards) + static_cast<char>(shard); }
// Big endian, so that names sort as the numbers do.
inline std::string Ordered(uint64_t number) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift);
  return bytes;
}
inline uint64_t ReadOrdered(std::string_view bytes) {
  uint64_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<uint8_t>(byte);
  return number;
}
inline std::string EndedName(uint8_t shard, uint64_t sequence) { return static_cast<char>(shard) + Ordered(sequence); }
inline std::string LinkName(uint64_t sequence, uint64_t plan) { return Ordered(sequence) + Ordered(plan); }
inline std::string Named(std::string_view prefix, std::string_view name) { return std::string(prefix).append(name); }

}  // namespace attune::keys

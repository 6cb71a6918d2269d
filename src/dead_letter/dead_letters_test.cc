#include "dead_letter/dead_letters.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "base/json.h"
#include "dead_letter/letter_filter.h"
#include "state/keyspace.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

class DeadLettersTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::path(testing::TempDir()) / ("attune_letters_test_" + std::to_string(getpid()) + "_" +
                                           testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(dir_);
    fs::create_directories(dir_);
    Open();
  }
  void TearDown() override {
    store_.reset();
    fs::remove_all(dir_);
  }
  void Open() {
    store_.reset();
    auto store = Store::Open((dir_ / "state").string());
    ASSERT_TRUE(store.ok()) << store.error().message;
    store_ = std::move(*store);
  }

  static std::string Event(const std::string& id, Reason reason = Reason::kInvalidProperty) {
    DeadLetter letter;
    letter.source = "/v1/batch[3]";
    letter.errors.push_back({reason, "properties.price", "expected number"});
    letter.message_id = id;
    letter.event = R"({"repeats":7,"a":{"b":1,"repeats":5}})";
    letter.event_is_json = true;
    letter.name = "add_to_cart";
    return DeadLetterRecord(letter, 1'000);
  }
  static std::string Junk(const std::string& body) {
    return DeadLetterRecord(LetterOfRequest("/v1/batch", body, Reason::kInvalidJson, "no"), 1'000);
  }
  static void StoreOne(DeadLetters* letters, uint64_t sequence, const std::string& payload, RecordType type = RecordType::kDeadLetter) {
    letters->StoreRecord({sequence, static_cast<uint8_t>(type), 0, payload});
  }
  // Sequences of kept letters, oldest first; then the rows themselves.
  std::map<uint64_t, std::string> Kept() {
    std::map<uint64_t, std::string> kept;
    EXPECT_TRUE(store_->ForEach(keys::kDeadLetters, [&](std::string_view name, std::string_view json) {
      kept[*SequenceOfLetter(name)] = KeptLetter(name, json).ToJson();
      return true;
    }).ok());
    return kept;
  }
  std::vector<uint64_t> Sequences() {
    std::vector<uint64_t> sequences;
    for (const auto& [sequence, _] : Kept()) sequences.push_back(sequence);
    return sequences;
  }

  fs::path dir_;
  std::unique_ptr<Store> store_;
};

TEST_F(DeadLettersTest, TellsARepeatAndAReplay) {
  DeadLetters letters;
  letters.SetStore(store_.get());
  StoreOne(&letters, 10, Event("m"));
  StoreOne(&letters, 12, Event("m"));
  StoreOne(&letters, 13, Event(""));
  StoreOne(&letters, 14, Event("m", Reason::kInvalidField));
  StoreOne(&letters, 20, ReplayedRecord(10), RecordType::kReplayed);
  auto kept = Kept();
  ASSERT_EQ(kept.size(), 3u);
  EXPECT_NE(kept[10].find(R"("event":{"repeats":7,"a":{"b":1,"repeats":5}})"), std::string::npos) << kept[10];
  EXPECT_TRUE(kept[10].ends_with(R"("repeats":1,"last_received":"1970-01-01T00:00:01.000Z","sequence":12,"state":"replayed","replayed_as":19})")) << kept[10];
  EXPECT_TRUE(kept[13].ends_with(R"("sequence":13,"state":"new","replayed_as":null})")) << kept[13];
  // Recovery reads all records again: nothing changes. Another record of a replay changes nothing either.
  for (int round = 0; round < 2; ++round) {
    Open();
    DeadLetters again;
    const auto replay_all = [&] {
      StoreOne(&again, 10, Event("m"));
      StoreOne(&again, 12, Event("m"));
      StoreOne(&again, 13, Event(""));
      StoreOne(&again, 14, Event("m", Reason::kInvalidField));
      StoreOne(&again, 20, ReplayedRecord(10), RecordType::kReplayed);
      StoreOne(&again, 30, ReplayedRecord(10), RecordType::kReplayed);
      StoreOne(&again, 31, ReplayedRecord(999), RecordType::kReplayed);
    };
    again.SetStore(store_.get());
    replay_all();
    EXPECT_EQ(Kept(), kept);
    EXPECT_EQ(again.letters(), 3u);
    EXPECT_EQ(again.bytes(), letters.bytes());
  }
  // A repeat of a replayed letter leaves it replayed.
  DeadLetters later;
  later.SetStore(store_.get());
  StoreOne(&later, 40, Event("m"));
  EXPECT_TRUE(Kept()[10].ends_with(R"("sequence":40,"state":"replayed","replayed_as":19})"));
}

TEST_F(DeadLettersTest, JunkGoesBeforeEventsAndTheOldestFirst) {
  DeadLetters letters({.letters = 5});
  letters.SetStore(store_.get());
  for (uint64_t i = 1; i <= 4; ++i) StoreOne(&letters, i, Junk("junk " + std::to_string(i)));
  StoreOne(&letters, 5, Event("a"));
  StoreOne(&letters, 6, Event("b"));
  EXPECT_EQ(Sequences(), (std::vector<uint64_t>{2, 3, 4, 5, 6}));
  StoreOne(&letters, 7, Junk("junk 2"));  // a repeat
  EXPECT_EQ(Sequences(), (std::vector<uint64_t>{2, 3, 4, 5, 6}));
  for (uint64_t i = 8; i <= 12; ++i) StoreOne(&letters, i, Event("c" + std::to_string(i)));
  EXPECT_EQ(Sequences(), (std::vector<uint64_t>{8, 9, 10, 11, 12}));
  StoreOne(&letters, 13, Junk("junk 13"));  // only events are left: it is the first to be dropped
  EXPECT_EQ(Sequences(), (std::vector<uint64_t>{8, 9, 10, 11, 12}));
  EXPECT_EQ(letters.dropped(), 7u);  // junk 1 to 4, a and b, junk 13
  EXPECT_EQ(letters.letters(), 5u);
  // Dropped letters do not return, but an event that is sent again does.
  const auto kept = Kept();
  Open();
  DeadLetters again({.letters = 5});
  again.SetStore(store_.get());
  for (uint64_t i = 1; i <= 4; ++i) StoreOne(&again, i, Junk("junk " + std::to_string(i)));
  StoreOne(&again, 5, Event("a"));
  StoreOne(&again, 8, Event("c8"));
  EXPECT_EQ(Kept(), kept);
  EXPECT_EQ(again.dropped(), 0u);
  StoreOne(&again, 14, Event("a"));
  EXPECT_EQ(Sequences(), (std::vector<uint64_t>{9, 10, 11, 12, 14}));
}

TEST_F(DeadLettersTest, BytesAreBoundedToo) {
  DeadLetters letters({.letters = 1000, .bytes = 20'000});
  letters.SetStore(store_.get());
  for (uint64_t i = 1; i <= 200; ++i) StoreOne(&letters, i, Event("m" + std::to_string(i)));
  uint64_t bytes = 0;
  EXPECT_TRUE(store_->ForEach(keys::kDeadLetters, [&](std::string_view name, std::string_view json) {
    bytes += name.size() + json.size();
    return true;
  }).ok());
  EXPECT_EQ(letters.bytes(), bytes);
  EXPECT_LE(bytes, 20'200u);
  EXPECT_GT(bytes, 19'000u);
  EXPECT_EQ(Sequences().back(), 200u);
}

TEST_F(DeadLettersTest, ManyGoAtATime) {
  DeadLetters letters({.letters = 1000});
  letters.SetStore(store_.get());
  for (uint64_t i = 1; i <= 100; ++i) StoreOne(&letters, i, Junk("junk " + std::to_string(i)));
  for (uint64_t i = 101; i <= 5000; ++i) StoreOne(&letters, i, Event("m" + std::to_string(i)));
  const std::vector<uint64_t> kept = Sequences();
  EXPECT_GE(kept.size(), 1000u);
  EXPECT_LE(kept.size(), 1010u);
  EXPECT_EQ(letters.letters(), kept.size());
  EXPECT_EQ(letters.dropped(), 5000 - kept.size());
  EXPECT_EQ(kept.front(), 5001 - kept.size());
  EXPECT_EQ(kept.back(), 5000u);
}

TEST_F(DeadLettersTest, CountsTheLettersOfAStoreWithoutATally) {
  WriteBatch batch;
  // As a program of store version 2 wrote it.
  batch.Put(keys::kDeadLetters, LetterName(7),
            R"({"source":"/v1/track","reason":"missing_field","field":"event","detail":"d","event":{"userId":"a"},"received":"2026-03-01T10:00:00.000Z",)"
            R"("errors":[],"messageId":null,"repeats":0,"last_received":"2026-03-01T10:00:00.000Z","sequence":7})");
  ASSERT_TRUE(store_->Write(batch).ok());
  DeadLetters letters({.letters = 1});
  letters.SetStore(store_.get());
  EXPECT_EQ(letters.letters(), 1u);
  EXPECT_TRUE(Kept()[7].ends_with(R"("sequence":7,"state":"new","replayed_as":null})"));
  StoreOne(&letters, 8, Event("m"));
  EXPECT_EQ(Sequences(), (std::vector<uint64_t>{8}));
}

TEST_F(DeadLettersTest, FiltersTakeWhatFits) {
  const std::string name = LetterName(9);
  std::string json = Event("m");
  json.insert(json.size() - 1, R"(,"repeats":0,"last_received":"1970-01-01T00:00:01.000Z","sequence":9,"replayed":null)");
  const KeptLetter letter(name, json);
  const std::pair<std::map<std::string, std::string>, bool> cases[] = {
      {{}, true},
      {{{"reason", "invalid_property"}}, true},
      {{{"reason", "invalid_field"}}, false},
      {{{"source", "/v1/batch"}}, true},
      {{{"source", "/v1/batch[3]"}}, true},
      {{{"source", "/v1/batch[33]"}}, false},
      {{{"source", "/v1/b"}}, false},
      {{{"event", "Add To Cart"}}, true},
      {{{"event", "purchase"}}, false},
      {{{"since", "1970-01-01T00:00:01Z"}}, true},
      {{{"since", "1970-01-01T00:00:01.001Z"}}, false},
      {{{"until", "1970-01-01T00:00:01Z"}}, false},
      {{{"until", "1970-01-01T00:00:01.001Z"}}, true},
      {{{"state", "new"}}, true},
      {{{"state", "replayed"}}, false},
  };
  for (const auto& [parameters, takes] : cases) {
    const auto filter = LetterFilter::Read([&](std::string_view asked) -> std::optional<std::string> {
      const auto found = parameters.find(std::string(asked));
      return found == parameters.end() ? std::nullopt : std::optional(found->second);
    });
    ASSERT_TRUE(filter.ok()) << filter.error().message;
    EXPECT_EQ(filter->Takes(letter), takes) << (parameters.empty() ? "" : parameters.begin()->first + "=" + parameters.begin()->second);
  }
}

TEST(LetterOfRequest, KeepsTheBodyAsItWasSent) {
  const std::string umlauts = [] {
    std::string text = "x";
    while (text.size() < 3 * kLetterBodyBytes) text += "\xc3\xa4";
    return text;
  }();
  const DeadLetter cut = LetterOfRequest("/v1/batch", umlauts, Reason::kInvalidJson, "d");
  EXPECT_TRUE(cut.body->is_cut);
  EXPECT_FALSE(cut.body->is_base64);  // cut between characters
  EXPECT_EQ(cut.body->original_bytes, umlauts.size());
  EXPECT_EQ(cut.event.size(), kLetterBodyBytes - 1);
  const DeadLetter binary = LetterOfRequest("/v1/batch", "\x1f\x8b", Reason::kBadCompression, "d");
  EXPECT_TRUE(binary.body->is_base64);
  EXPECT_EQ(binary.event, "H4s=");
  EXPECT_FALSE(binary.body->is_cut);
  const DeadLetter tail = LetterOfRequest("/v1/batch", std::string(kLetterBodyBytes - 1, 'x') + std::string(40'000, '\x80'), Reason::kInvalidJson, "d");
  EXPECT_TRUE(tail.body->is_cut);
  EXPECT_NE(tail.body->digest, binary.body->digest);
  EXPECT_NE(LetterOfRequest("/v1/b", "\x1f\x8b", Reason::kBadCompression, "d").body->digest, binary.body->digest);
}

}  // namespace
}  // namespace attune

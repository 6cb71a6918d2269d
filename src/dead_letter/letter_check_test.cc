#include "dead_letter/letter_check.h"

#include <gtest/gtest.h>

#include <set>

#include "dead_letter/dead_letters.h"
#include "log/record_type.h"
#include "memory_log/memory_log.h"
#include "state/keyspace.h"

namespace attune {
namespace {

class LetterCheckTest : public testing::Test {
 protected:
  LetterCheckTest() : store_(std::move(Store::Open("store", {.in_memory = true})).value()) {}

  // Creates a log whose records with these sequences are dead letters. The others up to `last` are ticks.
  void Log(const std::set<uint64_t>& letters, uint64_t last) {
    last_ = last;
    for (uint64_t sequence = 1; sequence <= last; ++sequence) {
      const RecordType type = letters.contains(sequence) ? RecordType::kDeadLetter : RecordType::kTick;
      const LogEntry entry{static_cast<uint8_t>(type), 0, "{}"};
      ASSERT_TRUE(log_.Append({&entry, 1}, nullptr).ok());
    }
    log_.Close();
  }
  void Keep(const std::string& name, uint64_t repeats) {
    WriteBatch batch;
    batch.Put(keys::kDeadLetters, name,
              R"({"event":null,"repeats":)" + std::to_string(repeats) + R"(,"last_received":null,"sequence":1,"replayed":null})");
    ASSERT_TRUE(store_->Write(batch).ok());
  }
  // `LOGGED logged, KEPT kept, REPEATS repeats`, and the names of damaged letters.
  std::string Check() {
    std::string damaged;
    const auto check = CheckLetters(*store_, &log_, 1, last_, [&](std::string_view name) {
      damaged += ", " + (SequenceOfLetter(name) ? std::to_string(*SequenceOfLetter(name)) : std::string(name));
    });
    if (!check.ok()) return check.error().message;
    return std::to_string(check->logged) + " logged, " + std::to_string(check->kept) + " kept, " + std::to_string(check->repeats) + " repeats" + damaged;
  }

  MemoryLog log_{MemoryLog::Options()};
  uint64_t last_ = 0;
  std::unique_ptr<Store> store_;
};

TEST_F(LetterCheckTest, FindsTheLettersThatAreOfNoRecord) {
  Log({2, 3, 5, 100, 400}, 500);
  EXPECT_EQ(Check(), "5 logged, 0 kept, 0 repeats");
  Keep(LetterName(3), 2);
  Keep(LetterName(100), 0);
  Keep(LetterName(400), 40);
  EXPECT_EQ(Check(), "5 logged, 3 kept, 42 repeats");
  Keep(LetterName(1), 1);    // a tick
  Keep(LetterName(101), 1);  // another one
  Keep(LetterName(501), 1);  // beyond the end
  Keep("no name", 1);
  EXPECT_EQ(Check(), "5 logged, 3 kept, 42 repeats, no name, 1, 101, 501");
}

TEST_F(LetterCheckTest, OfAnEmptyLogNoLetterIs) {
  EXPECT_EQ(Check(), "0 logged, 0 kept, 0 repeats");
  Keep(LetterName(1), 0);
  Keep(LetterName(0), 0);
  EXPECT_EQ(Check(), "0 logged, 0 kept, 0 repeats, 0, 1");
}

}  // namespace
}  // namespace attune

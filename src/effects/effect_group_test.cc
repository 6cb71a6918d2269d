#include "effects/effect_group.h"

#include <gtest/gtest.h>

#include <random>

#include "effects/stored_effects.h"
#include "state/keyspace.h"

namespace attune {
namespace {

bool AreEqual(const PublishedEffect& a, const PublishedEffect& b) {
  return a.id == b.id && a.kind == b.kind && a.corrected == b.corrected && a.at == b.at && a.name == b.name && a.user == b.user &&
         a.detail == b.detail;
}

std::vector<PublishedEffect> All(const EffectGroup& group) {
  std::vector<PublishedEffect> effects;
  group.Read({}, After(UINT64_MAX), &effects);
  return effects;
}

constexpr std::string_view kNames[] = {"buyer", "high_intent", "thanks", "a-name-that-is-not-short"};
constexpr std::string_view kUsers[] = {"ann", "ben", "", "a user with \"quotes\""};

// Effects with increasing ids that fit into one group.
std::vector<PublishedEffect> RandomEffects(std::mt19937_64* random, size_t size) {
  std::vector<PublishedEffect> effects;
  EffectId id{(*random)() % 1'000 + 1, static_cast<uint32_t>((*random)() % 3)};
  for (size_t i = 0; i < size; ++i) {
    PublishedEffect effect{id, static_cast<EffectKind>((*random)() % 3), (*random)() % 2 == 0, 0, kNames[(*random)() % 4],
                           kUsers[(*random)() % 4], ""};
    effect.at = static_cast<Millis>((*random)() % 2 == 0 ? (*random)() : 1'772'359'200'000 + (*random)() % 9);
    if (effect.kind == EffectKind::kFiring) effect.detail = R"("key":null,"id":"f","values":{})";
    effects.push_back(effect);
    id = (*random)() % 2 == 0 ? EffectId{id.sequence, id.index + 1 + static_cast<uint32_t>((*random)() % 3)}
                              : EffectId{id.sequence + 1 + (*random)() % 3, static_cast<uint32_t>((*random)() % 3)};
  }
  return effects;
}

TEST(EffectGroup, IsReadAsItWasWritten) {
  std::mt19937_64 random(1);
  EffectGroupWriter writer;  // one for all: nothing of a group stays for the next
  for (int round = 0; round < 300; ++round) {
    const auto effects = RandomEffects(&random, 1 + random() % 40);
    for (const PublishedEffect& effect : effects) {
      ASSERT_TRUE(writer.MayAdd(effect.id));
      writer.Add(effect);
    }
    const EffectGroup group = writer.Take();
    EXPECT_TRUE(writer.empty());
    EXPECT_EQ(group.first(), effects.front().id);
    EXPECT_EQ(group.last(), effects.back().id);
    EXPECT_EQ(group.size(), effects.size());
    const auto parsed = EffectGroup::Parse(group.first(), group.bytes());
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->last(), group.last());
    EXPECT_EQ(parsed->size(), group.size());
    const auto found = All(*parsed);
    ASSERT_EQ(found.size(), effects.size());
    for (size_t i = 0; i < effects.size(); ++i) EXPECT_TRUE(AreEqual(found[i], effects[i])) << round << ' ' << i;
    // Part of it, by ids that need not be there.
    const EffectId after = effects[random() % effects.size()].id;
    const EffectId up_to = {effects[random() % effects.size()].id.sequence, 1};
    std::vector<PublishedEffect> part;
    parsed->Read(after, up_to, &part);
    size_t expected = 0;
    for (const PublishedEffect& effect : effects) expected += effect.id > after && effect.id <= up_to;
    EXPECT_EQ(part.size(), expected);
  }
}

TEST(EffectGroup, NamesAndUsersAreWrittenOnce) {
  EffectGroupWriter writer;
  for (uint32_t i = 0; i < 100; ++i) writer.Add({{7, i}, EffectKind::kEnter, false, 1'772'359'200'000, kNames[i % 2], "the same user", ""});
  EXPECT_LT(writer.Take().bytes().size(), 100 * 6u);
}

TEST(EffectGroup, TakesIdsInOrderAndWithinItsSpan) {
  EffectGroupWriter writer;
  EXPECT_TRUE(writer.MayAdd({500, 3}));
  writer.Add({{500, 3}, EffectKind::kEnter, false, 0, "buyer", "ann", ""});
  EXPECT_FALSE(writer.MayAdd({500, 3}));
  EXPECT_FALSE(writer.MayAdd({499, 9}));
  EXPECT_TRUE(writer.MayAdd({500, 4}));
  EXPECT_TRUE(writer.MayAdd({500 + EffectGroup::kMaxSpan - 1, 0}));
  EXPECT_FALSE(writer.MayAdd({500 + EffectGroup::kMaxSpan, 0}));
}

TEST(EffectGroup, BytesThatAreCutOrChangedAreRefusedOrReadAsAnother) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 50; ++round) {
    EffectGroupWriter writer;
    for (const PublishedEffect& effect : RandomEffects(&random, 1 + random() % 5)) writer.Add(effect);
    const EffectGroup group = writer.Take();
    for (size_t size = 0; size < group.bytes().size(); ++size) {
      EXPECT_FALSE(EffectGroup::Parse(group.first(), std::string_view(group.bytes()).substr(0, size)));
    }
    EXPECT_FALSE(EffectGroup::Parse(group.first(), group.bytes() + 'x'));
    for (int change = 0; change < 100; ++change) {
      std::string bytes = group.bytes();
      bytes[random() % bytes.size()] = static_cast<char>(random());
      const auto parsed = EffectGroup::Parse(group.first(), bytes);
      if (parsed) {
        EXPECT_EQ(All(*parsed).size(), parsed->size());
      }
    }
  }
}

// What a store before version 6 holds: u8 kind, u16 and u16 sizes, name, user, line.
std::string Single(uint8_t kind, std::string_view name, std::string_view user, std::string_view line) {
  ByteWriter bytes;
  bytes.U8(kind);
  bytes.U16(static_cast<uint16_t>(name.size()));
  bytes.U16(static_cast<uint16_t>(user.size()));
  for (const std::string_view part : {name, user, line}) bytes.Raw(part);
  return bytes.Take();
}

TEST(EffectGroup, ReadsAnEffectOfAnEarlierVersion) {
  const std::string line = R"({"at":"2026-03-01T10:00:00.000Z","user":"ann","segment":"buyer","change":"leave","corrected":true})";
  const auto group = EffectGroup::Parse({17, 2}, Single(0, "buyer", "ann", line));
  ASSERT_TRUE(group);
  EXPECT_EQ(group->last(), (EffectId{17, 2}));
  const auto effects = All(*group);
  ASSERT_EQ(effects.size(), 1u);
  EXPECT_EQ(effects[0].kind, EffectKind::kLeave);
  EXPECT_EQ(effects[0].name, "buyer");
  EXPECT_EQ(effects[0].user, "ann");
  EXPECT_EQ(effects[0].at, 1'772'359'200'000);
  EXPECT_EQ(effects[0].Json(), line);
  for (size_t size = 0; size < 5 + 5 + 3; ++size) EXPECT_FALSE(EffectGroup::Parse({17, 2}, Single(0, "buyer", "ann", line).substr(0, size)));
  EXPECT_FALSE(EffectGroup::Parse({17, 2}, Single(3, "buyer", "ann", line)));
}

// Groups of several lanes, which overlap, among effects of an earlier version: pages of any size give all in order.
TEST(StoredEffects, PagesHaveEveryEffectOnce) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 40; ++round) {
    auto store = std::move(Store::Open("store", {.in_memory = true})).value();
    WriteBatch batch;
    EffectGroupWriter lanes[3];
    const auto put = [&](const EffectGroup& group) { batch.Put(keys::kOutbox, EffectKey(group.first()), group.bytes()); };
    auto effects = RandomEffects(&random, 200);
    if (round % 2 == 0) {
      for (PublishedEffect& effect : effects) effect.id.sequence *= 400;  // some farther apart than a group's span
    }
    for (PublishedEffect& effect : effects) {
      if (random() % 10 == 0) {
        batch.Put(keys::kOutbox, EffectKey(effect.id), Single(static_cast<uint8_t>(effect.kind), effect.name, effect.user, "{}"));
        continue;
      }
      EffectGroupWriter& lane = lanes[random() % 3];
      if (!lane.MayAdd(effect.id) || random() % 8 == 0) {
        if (!lane.empty()) put(lane.Take());
      }
      lane.Add(effect);
    }
    for (EffectGroupWriter& lane : lanes) {
      if (!lane.empty()) put(lane.Take());
    }
    batch.Put(keys::kOutbox, EffectKey({effects[5].id.sequence, 99}), "not a group");
    ASSERT_TRUE(store->Write(batch).ok());
    for (const size_t bytes : {1, 50, 1'000, 1'000'000}) {
      const EffectId up_to = random() % 2 == 0 ? effects[random() % effects.size()].id : After(UINT64_MAX);
      EffectId cursor = random() % 2 == 0 ? effects[random() % effects.size()].id : EffectId{};
      std::vector<EffectId> expected, found;
      for (const PublishedEffect& effect : effects) {
        if (effect.id > cursor && effect.id <= up_to) expected.push_back(effect.id);
      }
      for (bool more = true; more;) {
        const auto page = ReadStoredEffects(*store, cursor, up_to, bytes);
        ASSERT_TRUE(page.ok());
        for (const PublishedEffect& effect : page->effects) found.push_back(effect.id);
        ASSERT_TRUE(!page->more || page->next > cursor) << "a page advances";
        cursor = page->next;
        more = page->more;
      }
      EXPECT_EQ(found, expected) << round << ' ' << bytes;
      EXPECT_GE(cursor, up_to);
    }
  }
}

}  // namespace
}  // namespace attune

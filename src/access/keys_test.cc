#include "access/keys.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace attune {
namespace {

class KeysTest : public testing::Test {
 protected:
  KeysTest()
      : folder_(std::filesystem::temp_directory_path() / ("attune-keys-of-sources-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
    store_ = Store::Open("memory", {.in_memory = true}).value();
  }
  ~KeysTest() override { std::filesystem::remove_all(folder_); }

  Keys Open(const GivenKeys& given) { return Keys::Open(store_.get(), (folder_ / "keys").string(), given).value(); }
  // `kind source` of a key; `unknown`.
  static std::string Holder(const Keys& keys, std::string_view key) {
    const auto holder = keys.Find(key);
    if (!holder) return "unknown";
    return (holder->kind == KeyKind::kWrite ? "write " : "api ") + keys.sources()[holder->source].name;
  }

  std::filesystem::path folder_;
  std::unique_ptr<Store> store_;
};

TEST_F(KeysTest, WithoutSourcesThereIsOne) {
  const Keys keys = Open({"wk", "ak", {}});
  ASSERT_EQ(keys.sources().size(), 1u);
  EXPECT_EQ(Holder(keys, "wk"), "write default");
  EXPECT_EQ(Holder(keys, "ak"), "api default");
  EXPECT_EQ(Holder(keys, "other"), "unknown");
  EXPECT_EQ(Holder(keys, ""), "unknown");
  EXPECT_TRUE(keys.AnySourceAllows("https://anywhere.example"));
  EXPECT_TRUE(keys.made().empty());
}

TEST_F(KeysTest, EachSourceHasItsKey) {
  const Keys keys = Open(
      {"", "ak", {{{"web", {"https://shop.example"}}, "wk-web"}, {{"app", {"https://app.example"}}, "wk-app"}}});
  EXPECT_EQ(Holder(keys, "wk-web"), "write web");
  EXPECT_EQ(Holder(keys, "wk-app"), "write app");
  EXPECT_EQ(Holder(keys, "ak"), "api default");
  EXPECT_TRUE(keys.made().empty()) << "a source's key is a write key, so none is made";
  // `default` has no write key: it does not open the origins of the others.
  EXPECT_TRUE(keys.AnySourceAllows("https://shop.example"));
  EXPECT_TRUE(keys.AnySourceAllows("https://app.example"));
  EXPECT_FALSE(keys.AnySourceAllows("https://other.example"));
  EXPECT_FALSE(keys.AnySourceAllows(""));
}

TEST_F(KeysTest, ASourceTakesOverAStoredKey) {
  const Keys first = Open({"", "ak", {}});
  ASSERT_EQ(first.made().size(), 1u);
  const std::string made = first.made()[0].key;
  const Keys same = Open({"", "ak", {{{"app", {}}, "wk-app"}}});
  EXPECT_EQ(Holder(same, made), "write default");
  EXPECT_TRUE(same.AnySourceAllows("https://other.example")) << "`default` still has a key";
  const Keys taken = Open({"", "ak", {{{"web", {"https://shop.example"}}, made}}});
  EXPECT_EQ(Holder(taken, made), "write web");
  EXPECT_FALSE(taken.AnySourceAllows("https://other.example"));
}

TEST_F(KeysTest, TheDefaultSourceMayHaveOriginsToo) {
  const Keys keys = Open({"wk", "ak", {{{"default", {"https://intranet.example"}}, ""}, {{"app", {}}, "wk-app"}}});
  ASSERT_EQ(keys.sources().size(), 2u);
  EXPECT_EQ(Holder(keys, "wk"), "write default");
  EXPECT_FALSE(keys.sources()[0].Allows("https://other.example"));
  EXPECT_TRUE(keys.sources()[0].Allows("https://intranet.example"));
  EXPECT_TRUE(keys.AnySourceAllows("https://other.example")) << "of `app`";
}

}  // namespace
}  // namespace attune

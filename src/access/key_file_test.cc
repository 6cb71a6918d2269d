#include "access/key_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/hash.h"
#include "crypto/sha256.h"

namespace attune {
namespace {

class KeyFile : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("attune-keys-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    path_ = KeyFilePath(folder_.string());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void Write(std::string_view text) const { std::ofstream(path_, std::ios::binary) << text; }

  std::filesystem::path folder_;
  std::string path_;
};

TEST_F(KeyFile, IsReadAsItWasWritten) {
  EXPECT_EQ(*ReadKeyFile(path_), KeyHashes());
  const KeyHashes keys = {{std::string(64, 'a'), 'w'}, {std::string(64, 'b'), 'a'}};
  ASSERT_TRUE(WriteKeyFile(path_, keys).ok());
  EXPECT_EQ(*ReadKeyFile(path_), keys);
  ASSERT_TRUE(WriteKeyFile(path_, {}).ok());
  EXPECT_EQ(*ReadKeyFile(path_), KeyHashes());
}

TEST_F(KeyFile, DamageAndNewerOnesAreRefused) {
  ASSERT_TRUE(WriteKeyFile(path_, {{std::string(64, 'a'), 'w'}}).ok());
  std::ifstream in(path_, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string bad = whole;
    bad[i] = static_cast<char>(bad[i] ^ 4);
    Write(bad);
    EXPECT_FALSE(ReadKeyFile(path_).ok()) << i;
    Write(whole.substr(0, i));
    ASSERT_FALSE(ReadKeyFile(path_).ok()) << i;
    EXPECT_EQ(ReadKeyFile(path_).error().code, ErrorCode::kCorrupt) << i;
  }
  const std::string text = "attune-keys 2\n";
  Write(text + "sha256 " + ToHex(Sha256(text)) + "\n");
  ASSERT_FALSE(ReadKeyFile(path_).ok());
  EXPECT_EQ(ReadKeyFile(path_).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(ReadKeyFile(path_).error().message, path_ + ": version 2 is newer than this program reads (1): use the newer program that wrote it");
}

}  // namespace
}  // namespace attune

#include "access/secrets.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace attune {
namespace {

TEST(Secrets, GoToTheirHostsAndToNoOther) {
  Secrets secrets;
  secrets.Add("ops", "s3cret", {"ops.example", "127.0.0.1"});
  secrets.Add("mail", "other", {"mail.example"});
  ASSERT_NE(secrets.Find("ops"), nullptr);
  EXPECT_EQ(*secrets.Find("ops"), "s3cret");
  EXPECT_EQ(secrets.Find("opz"), nullptr);
  for (const char* host : {"ops.example", "OPS.Example", "127.0.0.1"}) {
    EXPECT_TRUE(secrets.MayGoTo("ops", host)) << host;
  }
  for (const char* host : {"", "example", "a.ops.example", "ops.example.evil.example", "ops.example:443",
                           "mail.example", "ops.example.", " ops.example", "*"}) {
    EXPECT_FALSE(secrets.MayGoTo("ops", host)) << host;
  }
  EXPECT_FALSE(secrets.MayGoTo("nobody", "ops.example"));
}

TEST(Secrets, HostsAreExactAndInLowerCase) {
  for (const auto& [given, kept] : {std::pair("Ops.Example", "ops.example"), std::pair("localhost", "localhost"),
                                    std::pair("127.0.0.1", "127.0.0.1"), std::pair("[::1]", "[::1]")}) {
    const auto host = CheckedHost(given);
    ASSERT_TRUE(host.ok()) << given;
    EXPECT_EQ(*host, kept);
  }
  const struct {
    const char* host;
    const char* message;
  } kBad[] = {
      {"", "expected a host such as ops.example, found \"\""},
      {"*.example", "a wildcard is not allowed"},
      {"https://ops.example", "without scheme and path"},
      {"ops.example/", "without scheme and path"},
      {"ops.example:443", "without its port"},
      {"::1", "without its port"},
      {"ops example", "expected a host"},
      {".example", "expected a host"},
      {"ops.example.", "expected a host"},
      {"[x]", "expected a host"},
  };
  for (const auto& [host, message] : kBad) {
    const auto checked = CheckedHost(host);
    ASSERT_FALSE(checked.ok()) << host;
    EXPECT_NE(checked.error().message.find(message), std::string::npos) << checked.error().message;
  }
}

TEST(Secrets, AFileLosesOneLineEnd) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("attune-secrets-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = folder / "secret";
  const auto read = [&](std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
    return ReadSecretFile(path);
  };
  EXPECT_EQ(*read("abc"), "abc");
  EXPECT_EQ(*read("abc\n"), "abc");
  EXPECT_EQ(*read("abc\r\n"), "abc");
  EXPECT_EQ(*read("abc\n\n"), "abc\n");
  EXPECT_EQ(*read(" a\nb "), " a\nb ");
  EXPECT_EQ(read(std::string(kMaxSecretBytes, 'x'))->size(), kMaxSecretBytes);
  EXPECT_EQ(read(std::string(kMaxSecretBytes + 1, 'x')).error().code, ErrorCode::kInvalid);
  for (const char* empty : {"", "\n", "\r\n"}) EXPECT_EQ(read(empty).error().message, "the file " + path + " is empty");
  std::filesystem::remove_all(folder);
  EXPECT_EQ(ReadSecretFile(path).error().code, ErrorCode::kIo);
  EXPECT_NE(ReadSecretFile(path).error().message.find(path), std::string::npos);
  EXPECT_FALSE(ReadSecretFile("/").ok());
}

}  // namespace
}  // namespace attune

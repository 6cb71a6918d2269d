#include "cli/manifest.h"

#include <gtest/gtest.h>

#include "base/hash.h"
#include "crypto/sha256.h"

namespace attune {
namespace {

std::string Signed(std::string text) { return text + "sha256 " + ToHex(Sha256(text)) + "\n"; }

std::string Complaint(std::string_view text) {
  const auto manifest = ParseManifest(text, "b/manifest");
  return manifest.ok() ? "" : manifest.error().message;
}

TEST(Manifest, IsReadAsItWasWritten) {
  Manifest manifest;
  manifest.program = "0.1.0";
  manifest.created = "2026-03-01T10:00:00.000Z";
  manifest.first_record = 1;
  manifest.last_record = 42;
  manifest.plan = "plan/my plan.yaml";
  manifest.files = {{"log/1.log", 17, std::string(64, 'a')}, {"plan/my plan.yaml", 3, std::string(64, 'b')}};
  const auto read = ParseManifest(ManifestText(manifest), "b/manifest");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(ManifestText(*read), ManifestText(manifest));
  EXPECT_EQ(read->files[1].path, "plan/my plan.yaml");
  EXPECT_EQ(read->last_record, 42u);
}

TEST(Manifest, OthersAreRefused) {
  Manifest manifest;
  manifest.program = "x";
  manifest.created = "y";
  const std::string good = ManifestText(manifest);
  EXPECT_EQ(Complaint(good), "");
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_NE(Complaint(bad), "") << i;
  }
  EXPECT_EQ(Complaint(""), "b/manifest: this is no manifest of a backup");
  EXPECT_EQ(Complaint(Signed("attune-backup 2\n")),
            "b/manifest: version 2 is newer than this program reads (1): use the newer program that wrote it");
  for (const char* path : {"/etc/passwd", "../x", "log/../../x", "log//x", "./x"}) {
    EXPECT_EQ(Complaint(Signed("attune-backup 1\nfile aa 1 " + std::string(path) + "\n")), "b/manifest: a path leads out of the backup") << path;
  }
  EXPECT_EQ(Complaint(Signed("attune-backup 1\nfile aa x log/1.log\n")), "b/manifest: the line \"file aa x log/1.log\" cannot be read");
}

}  // namespace
}  // namespace attune

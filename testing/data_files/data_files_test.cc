#include "data_files/data_files.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <optional>
#include <string>

namespace attune {
namespace {

namespace fs = std::filesystem;

// Sets or unsets ATTUNE_SHARED; the destructor restores its value.
class SharedFolder {
 public:
  explicit SharedFolder(const char* folder) {
    if (const char* before = getenv(kName)) before_ = before;
    folder ? setenv(kName, folder, 1) : unsetenv(kName);
  }
  ~SharedFolder() { before_ ? setenv(kName, before_->c_str(), 1) : unsetenv(kName); }
  SharedFolder(const SharedFolder&) = delete;

 private:
  static constexpr const char* kName = "ATTUNE_SHARED";
  std::optional<std::string> before_;
};

TEST(DataFiles, AFileIsUnpacked) {
  const auto file = DataFile("blns/blns.json");
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->size(), 27'191u);
  EXPECT_TRUE(file->starts_with("[\n")) << file->substr(0, 20);
}

TEST(DataFiles, AnArchiveIsUnpacked) {
  const auto files = DataArchive("jsontestsuite/test_parsing");
  ASSERT_TRUE(files.ok()) << files.error().message;
  EXPECT_EQ(files->size(), 318u);
  EXPECT_EQ(files->at("y_array_empty.json"), "[]");
  EXPECT_EQ(files->at("n_structure_no_data.json"), "");
  EXPECT_EQ(files->at("n_structure_100000_opening_arrays.json"), std::string(100'000, '['));
}

TEST(DataFiles, WhatIsMissingIsAFailure) {
  EXPECT_EQ(DataFile("blns/none").error().code, ErrorCode::kIo);
  EXPECT_EQ(DataArchive("blns/none").error().code, ErrorCode::kIo);
  EXPECT_EQ(DataArchive("blns/none").error().message, "tests/data/blns/none.tar.xz is missing");
}

TEST(DataFiles, ADataSetOfTheProjectIsNeverLookedForElsewhere) {
  const SharedFolder elsewhere("/none");
  EXPECT_EQ(DataSetFolder("msweb").value(), "tests/data/msweb");
}

TEST(DataFiles, AWithheldDataSetIsReadFromTheSharedFolder) {
  const fs::path root = fs::path(testing::TempDir()) / "attune_data_files_test";
  fs::remove_all(root);
  fs::create_directories(root / "data/cdnow");
  {
    const SharedFolder shared(root.c_str());
    EXPECT_EQ(DataSetFolder("cdnow").value(), (root / "data/cdnow").string());
    // If the folder is given explicitly, a missing data set is not skipped.
    EXPECT_EQ(DataSetFolder("hillstrom_email").error().code, ErrorCode::kInvalid);
  }
  fs::remove_all(root);
}

TEST(DataFiles, AWithheldDataSetThatIsNowhereHasAReason) {
  const SharedFolder unset(nullptr);
  const auto folder = DataSetFolder("cdnow");
  if (fs::exists("../shared/data/cdnow")) {
    EXPECT_EQ(folder.value(), "../shared/data/cdnow");
  } else {
    EXPECT_EQ(folder.error().code, ErrorCode::kNotFound);
    EXPECT_EQ(folder.error().message,
              "the data set cdnow is not part of the project (its source states no licence) and not in ../shared; "
              "see tests/data/README.md");
  }
}

}  // namespace
}  // namespace attune

#include "log/file/data_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

namespace attune {
namespace {

class DataLockTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(dir_); }
  const std::string dir_ = testing::TempDir() + "/attune_lock_test_" + std::to_string(getpid());
};

TEST_F(DataLockTest, ASecondHolderIsRefusedWithTheFirstOnesNumber) {
  std::optional<Result<DataLock>> first(DataLock::Take(dir_ + "/data"));
  ASSERT_TRUE(first->ok()) << first->error().message;
  const auto second = DataLock::Take(dir_ + "/data");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  EXPECT_NE(second.error().message.find("process " + std::to_string(getpid())), std::string::npos);
  first.reset();
  EXPECT_TRUE(DataLock::Take(dir_ + "/data").ok());
}

TEST_F(DataLockTest, ADeadHoldersFileMeansNothing) {
  const pid_t child = fork();
  if (child == 0) {
    const auto lock = DataLock::Take(dir_);
    _exit(lock.ok() ? 0 : 1);  // without releasing the lock
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(std::filesystem::exists(dir_ + "/LOCK"));
  const auto lock = DataLock::Take(dir_);
  ASSERT_TRUE(lock.ok());
  std::ifstream file(dir_ + "/LOCK");
  int pid = 0;
  file >> pid;
  EXPECT_EQ(pid, getpid());
}

}  // namespace
}  // namespace attune

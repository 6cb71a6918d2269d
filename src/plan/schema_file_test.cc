#include "plan/schema_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "plan/plan.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

constexpr char kSchema[] = R"({"type": "string"})";

// A plan's folder with schemas in it, and a neighbouring folder that the plan must not read.
class SchemaFile : public testing::Test {
 protected:
  SchemaFile() {
    char name[] = "/tmp/attune-schema-XXXXXX";
    top_ = mkdtemp(name);
    fs::create_directories(top_ / "plans/sub");
    fs::create_directories(top_ / "plans-too");
    fs::create_directories(top_ / "outside");
    for (const char* file : {"plans/in.json", "plans/sub/in.json", "plans-too/out.json", "outside/out.json"}) {
      std::ofstream(top_ / file) << kSchema;
    }
    fs::create_symlink("../outside/out.json", top_ / "plans/link.json");
    fs::create_symlink(top_ / "outside", top_ / "plans/folder");
    fs::create_symlink("sub/in.json", top_ / "plans/inner.json");
    fs::create_symlink("nowhere.json", top_ / "plans/dangling.json");
    fs::create_directory(top_ / "plans/folder.json");
    mkfifo((top_ / "plans/pipe.json").c_str(), 0600);
  }
  ~SchemaFile() override { fs::remove_all(top_); }

  static std::string PlanNaming(const std::string& schema) {
    return "events:\n  e: {properties: {p: \"" + schema + "\"}}\n";
  }
  // The first problem, without the file's name; empty when the plan loads.
  static std::string ProblemOf(const LoadedPlan& loaded) {
    if (loaded.problems.empty()) return "";
    const std::string text = ToText(loaded.problems[0]);
    return text.substr(text.find(':') + 1);
  }
  // The problems from every way to load a plan.
  std::vector<std::string> ProblemsOf(const std::string& schema) {
    const std::string yaml = PlanNaming(schema);
    std::ofstream(top_ / "plans/plan.yaml") << yaml;
    return {ProblemOf(ParsePlan(yaml, (top_ / "plans/plan.yaml").string())), ProblemOf(LoadPlan((top_ / "plans/plan.yaml").string())),
            ProblemOf(LoadPlan((top_ / "plans").string()))};
  }

  fs::path top_;
};

TEST_F(SchemaFile, IsReadBeneathThePlansFolder) {
  for (const char* name : {"in.json", "./in.json", "sub/in.json", "sub/../in.json", "inner.json", "sub//in.json"}) {
    for (const std::string& problem : ProblemsOf(name)) EXPECT_EQ(problem, "") << name;
  }
}

TEST_F(SchemaFile, IsRefusedByItsNameWhenThatLeadsOut) {
  const std::string absolute = (top_ / "outside/out.json").string();
  const std::string inside = (top_ / "plans/in.json").string();
  for (const std::string& name : {std::string("../outside/out.json"), std::string("../outside/missing.json"), absolute, inside,
                                  std::string("sub/../../outside/out.json"), std::string("../plans/in.json"), std::string("../plans-too/out.json")}) {
    for (const std::string& problem : ProblemsOf(name)) {
      EXPECT_EQ(problem, "2:23: expected the file of a JSON Schema beneath the plan's folder, found \"" + name + "\"");
    }
  }
  // File names in the file system end at a zero byte.
  for (const std::string& problem : ProblemsOf("plan.yaml\\0.json")) {
    EXPECT_EQ(problem, "2:23: expected the file of a JSON Schema beneath the plan's folder, found \"plan.yaml\\u0000.json\"");
  }
}

// A file outside gives the same answer as a missing one.
TEST_F(SchemaFile, IsMissingWhenALinkLeadsOut) {
  for (const std::string name : {"link.json", "folder/out.json", "folder/missing.json", "dangling.json", "folder/../outside/out.json",
                                 "missing.json", "folder.json", "pipe.json", "in.json/in.json"}) {
    for (const std::string& problem : ProblemsOf(name)) {
      EXPECT_EQ(problem, "2:23: there is no JSON Schema \"" + name + "\" beneath the plan's folder");
    }
  }
}

TEST_F(SchemaFile, MayLieBeneathAFolderThatALinkNames) {
  fs::create_directory_symlink("plans", top_ / "current");
  std::ofstream(top_ / "plans/plan.yaml") << PlanNaming("sub/in.json");
  EXPECT_EQ(ProblemOf(LoadPlan((top_ / "current/plan.yaml").string())), "");
  EXPECT_EQ(ProblemOf(LoadPlan((top_ / "current").string())), "");
}

TEST_F(SchemaFile, HasALimit) {
  std::ofstream(top_ / "plans/large.json") << std::string(kMaxSchemaBytes - 2, ' ') << "{}";
  EXPECT_TRUE(ReadSchemaFile(top_ / "plans", "large.json").ok());
  std::ofstream(top_ / "plans/large.json") << std::string(kMaxSchemaBytes - 1, ' ') << "{}";
  for (const std::string& problem : ProblemsOf("large.json")) {
    EXPECT_EQ(problem, "2:23: the JSON Schema \"large.json\" is larger than 1 MiB");
  }
}

TEST_F(SchemaFile, IsNamedByItsMistakesAsThePlanNamesIt) {
  std::ofstream(top_ / "plans/broken.json") << "{";
  for (const std::string& problem : ProblemsOf("broken.json")) EXPECT_EQ(problem, "2:23: broken.json: the schema is not JSON");
}

TEST_F(SchemaFile, ChangesTheFingerprint) {
  const std::string yaml = PlanNaming("in.json");
  const std::string path = (top_ / "plans/plan.yaml").string();
  const uint64_t before = ParsePlan(yaml, path).plan->fingerprint;
  std::ofstream(top_ / "plans/in.json") << R"({"type": "number"})";
  EXPECT_NE(ParsePlan(yaml, path).plan->fingerprint, before);
}

}  // namespace
}  // namespace attune

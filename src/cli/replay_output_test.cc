#include "cli/replay_output.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <tuple>

#include "base/json.h"
#include "engine/output.h"

namespace attune {
namespace {

// Names that sort differently from their order in the plan, triggers among segments.
constexpr char kPlan[] = R"(
segments:
  zeta: {when: count(a) >= 1}
  alpha: {when: in_segment(zeta)}
  "mü": {when: count(b) >= 1}
triggers:
  remind: {enter: count(c) >= 1}
  greet: {on: a}
)";

std::string Contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

struct Line {
  Millis at;
  std::string user, name, text;
};

std::string Sorted(std::vector<Line> lines) {
  std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) {
    return std::tie(a.at, a.user, a.name) < std::tie(b.at, b.user, b.name);
  });
  std::string text;
  for (const Line& line : lines) text += line.text + '\n';
  return text;
}

class ReplayOutputTest : public testing::Test {
 protected:
  ReplayOutputTest() : dir_(testing::TempDir() + "/replay_output"), program_(Program::Compile(ParsePlan(kPlan).plan)) {
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
  }
  ~ReplayOutputTest() override { std::filesystem::remove_all(dir_); }

  std::string dir_;
  std::shared_ptr<const Program> program_;
};

class ReplayParts : public ReplayOutputTest, public testing::WithParamInterface<size_t> {};

// Instants collide, users' ids need escapes and sort differently from their JSON, and the parts alternate.
TEST_P(ReplayParts, SaysWhatSortedLinesSay) {
  const std::vector<std::string> ids = {"b", "a", "\x01", "\"", "\xC3\xA9", "a\\", "", "10", "9", "[", "\x7F", "aa"};
  const size_t parts = GetParam();
  std::vector<std::deque<UserState>> users(parts);
  for (size_t i = 0; i < ids.size(); ++i) {
    users[i % parts].emplace_back(ids[i], static_cast<uint32_t>(users[i % parts].size()), *program_);
  }
  std::vector<std::unique_ptr<ReplayOutput>> outputs;
  for (size_t i = 0; i < parts; ++i) outputs.push_back(std::make_unique<ReplayOutput>(program_));
  std::mt19937 random(1);
  std::vector<Line> transitions, firings, values;
  for (int i = 0; i < 20'000; ++i) {
    const size_t part = random() % parts;
    if (users[part].empty()) continue;
    const UserState* user = &users[part][random() % users[part].size()];
    const Millis at = 1'772'359'200'000 + static_cast<Millis>(random() % 50) * (random() % 2 ? 1 : 43'200'000);
    const bool first = random() % 2, second = random() % 2;
    const auto condition = static_cast<ConditionId>(random() % program_->conditions.size());
    const std::string& name = program_->conditions[condition].name;
    if (condition < program_->segment_count) {
      const Transition transition{at, user, condition, first, second};
      outputs[part]->Add(transition);
      transitions.push_back({at, std::string(user->id()), name, TransitionJson(transition, *program_)});
    } else {
      const TriggerFiring firing{at, user, condition, std::to_string(i), "{}", ""};
      outputs[part]->Add(firing);
      firings.push_back({at, std::string(user->id()), name, FiringJson(firing, *program_)});
    }
    if (i % 7 == 0) {
      outputs[part]->AddValues(at, *user, std::to_string(i));
      values.push_back({at, std::string(user->id()), "", std::to_string(i)});
    }
  }
  std::vector<ReplayOutput*> all;
  size_t counted = 0;
  for (size_t i = 0; i < parts; ++i) {
    outputs[i]->Sort(users[i]);
    counted += outputs[i]->transitions();
    all.push_back(outputs[i].get());
  }
  EXPECT_EQ(counted, transitions.size());
  EXPECT_EQ(ReplayOutput::Write(dir_, all), "");
  EXPECT_EQ(Contents(dir_ + "/transitions.ndjson"), Sorted(transitions));
  EXPECT_EQ(Contents(dir_ + "/firings.ndjson"), Sorted(firings));
  EXPECT_EQ(Contents(dir_ + "/values.ndjson"), Sorted(values));
}

INSTANTIATE_TEST_SUITE_P(OneOrMore, ReplayParts, testing::Values(1, 2, 5, 64));

TEST_F(ReplayOutputTest, NothingToTellIsEmptyFilesAndAFolderThatIsNoneIsNamed) {
  ReplayOutput output(program_);
  output.Sort({});
  ReplayOutput* const parts[] = {&output};
  EXPECT_EQ(ReplayOutput::Write(dir_, parts), "");
  for (const char* name : {"transitions", "firings", "values"}) EXPECT_EQ(Contents(dir_ + "/" + name + ".ndjson"), "");
  EXPECT_EQ(ReplayOutput::Write(dir_ + "/none", parts), dir_ + "/none/transitions.ndjson");
}

}  // namespace
}  // namespace attune

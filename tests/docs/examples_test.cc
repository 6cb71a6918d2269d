// The examples of the documents are plans and expressions that load. Boxes that say `yaml plan`
// hold a plan, `attune` one expression a line (lines that begin with blanks go on), `selector` one
// selector a line. Expressions use the names of the first plan of their page.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = ATTUNE_SOURCE_DIR;

struct Box {
  std::string kind;  // what stands behind the opening ```
  int line = 0;      // of its first line
  std::vector<std::string> lines;

  std::string Text() const {
    std::string text;
    for (const std::string& line : lines) text += line + '\n';
    return text;
  }
};

std::vector<Box> BoxesOf(const fs::path& page) {
  std::vector<Box> boxes;
  std::ifstream in(page);
  std::string line;
  bool inside = false;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.starts_with("```")) {
      inside = !inside;
      if (inside) boxes.push_back({line.substr(3), number + 1, {}});
    } else if (inside) {
      boxes.back().lines.push_back(line);
    }
  }
  return boxes;
}

std::vector<fs::path> Pages() {
  std::vector<fs::path> pages;
  for (const auto& entry : fs::directory_iterator(kRoot)) pages.push_back(entry.path());
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / "docs")) pages.push_back(entry.path());
  std::erase_if(pages, [](const fs::path& page) { return page.extension() != ".md"; });
  return pages;
}

std::string Problems(const std::vector<Problem>& problems) {
  std::string text;
  for (const Problem& problem : problems) {
    if (!problem.warning) text += ToText(problem) + '\n';
  }
  return text;
}

TEST(DocumentedExamples, PlansAndExpressionsLoad) {
  int plans = 0, expressions = 0;
  for (const fs::path& page : Pages()) {
    std::unique_ptr<Plan> plan = ParsePlan("{}").plan;
    bool named = false;
    for (const Box& box : BoxesOf(page)) {
      const std::string place = page.string() + ":" + std::to_string(box.line);
      if (box.kind == "yaml plan") {
        LoadedPlan loaded = ParsePlan(box.Text(), page.string());
        EXPECT_TRUE(loaded.plan) << place << "\n" << Problems(loaded.problems);
        if (!named && loaded.plan) plan = std::move(loaded.plan);
        named = true;
        ++plans;
      } else if (box.kind == "attune" || box.kind == "selector") {
        std::vector<std::string> texts;
        for (const std::string& line : box.lines) {
          if (line.starts_with(' ') && !texts.empty()) {
            texts.back() += line;
          } else {
            texts.push_back(line);
          }
        }
        for (const std::string& text : texts) {
          const ParsedExpression parsed = ParseExpression(box.kind == "selector" ? "count(" + text + ")" : text, *plan);
          EXPECT_TRUE(parsed.expression) << place << " " << text << "\n" << Problems(parsed.problems);
          ++expressions;
        }
      }
    }
  }
  EXPECT_GE(plans, 2);
  EXPECT_GE(expressions, 20);
}

// `A then no B for d` and what the reference says it is short for.
TEST(DocumentedExamples, AbsenceIsWhatItIsShortFor) {
  for (const Box& box : BoxesOf(kRoot / "docs/language.md")) {
    if (box.kind != "attune" || box.lines[0].find(" then no ") == std::string::npos) continue;
    const auto plan = ParsePlan("{}").plan;
    const ParsedExpression sugar = ParseExpression(box.lines.at(0), *plan);
    const ParsedExpression plain = ParseExpression(box.lines.at(1), *plan);
    ASSERT_TRUE(sugar.expression && plain.expression);
    EXPECT_EQ(ToText(*sugar.expression), ToText(*plain.expression));
    return;
  }
  FAIL() << "docs/language.md shows no `then no`";
}

}  // namespace
}  // namespace attune

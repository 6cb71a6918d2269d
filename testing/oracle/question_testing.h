// For tests: a plan, the history of ann, and expressions to evaluate for ann.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "oracle/naive.h"

namespace attune::oracle {

inline Millis At(const std::string& text) {
  const auto instant = ParseRfc3339(text);
  EXPECT_TRUE(instant) << text;
  return instant.value_or(0);
}

struct Question {
  Millis at;
  const char* expression;
  const char* answer;  // as JSON
};

class Asking : public testing::Test {
 protected:
  void Load(const std::string& yaml) {
    LoadedPlan loaded = ParsePlan(yaml);
    for (const Problem& problem : loaded.problems) {
      EXPECT_TRUE(problem.warning) << ToText(problem);
    }
    ASSERT_TRUE(loaded.plan);
    plan_ = std::move(loaded.plan);
    history_ = std::make_unique<History>(*plan_, "ann");
  }

  void Event(const char* name, Millis time, const char* properties = "", const char* context = "") {
    history_->Add(Track("e" + std::to_string(++events_), "ann", name, time, properties, context));
  }
  void Event(const char* name, const std::string& time, const char* properties = "") {
    Event(name, At(time), properties);
  }
  void Identify(Millis time, const char* traits) {
    history_->Add(Fact(EventKind::kIdentify, "e" + std::to_string(++events_), "ann", time, traits));
  }

  std::string Ask(const std::string& expression, Millis at) {
    const ParsedExpression parsed = ParseExpression(expression, *plan_);
    for (const Problem& problem : parsed.problems) {
      if (!problem.warning) return ToText(problem);
    }
    return ToJson(Evaluate(*parsed.expression, *history_, at));
  }
  std::string Ask(const std::string& expression, const std::string& at) {
    return Ask(expression, At(at));
  }

  void AskAll(const std::vector<Question>& questions) {
    for (const Question& question : questions) {
      EXPECT_EQ(Ask(question.expression, question.at), question.answer)
          << question.expression << " at " << question.at;
    }
  }

  std::unique_ptr<Plan> plan_;
  std::unique_ptr<History> history_;
  int events_ = 0;
};

}  // namespace attune::oracle

// Compares explanations of sequences with the oracle: the value is the oracle's, the named events are enough for that
// value, and without those up to the first of them the value differs.
#include "engine/explain/explain.h"

#include <algorithm>

#include "oracle/question_testing.h"
#include "oracle/random.h"

namespace attune::oracle {
namespace {

constexpr Millis kEnd = 2000;

const char* const kExpressions[] = {
    "sequence(a -> b)",
    "sequence(a -> b)[400ms]",
    "sequence(a -> b -> a)[400ms offset 150ms]",
    "sequence(a => b -> x)",
    "sequence(a -> not x -> b within 90ms)",
    "sequence(a -> not x -> b -> b by k)",
    "sequence(a => any{k = 2} by k)[700ms]",
    "sequence(any -> b within 40ms -> a within 40ms)",
    "depth(a -> not b -> x -> b -> a -> x)[300ms]",
    "depth(a => a => a => a)",
    "depth(x -> b within 30ms -> a => any by k)",
    "matches(a -> b)[900ms]",
    "matches(a -> not x -> b by k)",
    "matches(a => b -> x within 200ms)",
    "matches(any -> any -> any)[500ms offset 500ms]",
};

std::vector<Record> Draw(Random* random) {
  std::vector<Record> records;
  const int64_t count = random->Below(40);
  for (int64_t i = 0; i < count; ++i) {
    static const char* const kNames[] = {"a", "b", "x"};
    static const char* const kKeys[] = {"", R"({"k":1})", R"({"k":2})"};
    const Millis time = kEnd - 10 * random->Below(100);  // often equal, and in no order
    records.push_back(Track("e" + std::to_string(i), "ann", kNames[random->Below(3)], time, kKeys[random->Below(3)]));
  }
  return records;
}

class ExplainSequences : public Asking {
 protected:
  void SetUp() override { Load("timezone: UTC\n"); }

  Explanation Explain(const Expression& expression, const std::vector<Record>& records) {
    Explainer explainer(std::shared_ptr<const Plan>(plan_.get(), [](const Plan*) {}), expression, "ann");
    for (const Record& record : records) {
      std::string bytes;
      EncodeEvent(HeadOf(record), record.json, &bytes);
      explainer.Add(bytes);
    }
    return explainer.At(kEnd);
  }

  std::string Naive(const Expression& expression, const std::vector<Record>& records) {
    History history(*plan_, "ann");
    for (const Record& record : records) history.Add(record);
    return ToJson(Evaluate(expression, history, kEnd));
  }
};

TEST_F(ExplainSequences, NameWhatMadeThem) {
  int named = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    Random random(seed);
    const std::vector<Record> records = Draw(&random);
    for (const char* text : kExpressions) {
      SCOPED_TRACE(std::string(text) + ", seed " + std::to_string(seed));
      const ParsedExpression parsed = ParseExpression(text, *plan_);
      ASSERT_TRUE(parsed.expression);
      const Expression& expression = *parsed.expression;
      const Explanation told = Explain(expression, records);
      ASSERT_EQ(told.value, Naive(expression, records));
      if (expression.kind == Expression::Kind::kSequenceDepth) {
        ASSERT_EQ(told.value, std::to_string(told.events.size()));
      }
      if (expression.kind != Expression::Kind::kSequenceMatches) {
        const size_t steps = static_cast<size_t>(std::count_if(expression.steps.begin(), expression.steps.end(),
                                                               [](const SequenceStep& step) { return !step.negated; }));
        ASSERT_EQ(told.missing_step.empty(), told.events.size() == steps);
        if (expression.kind == Expression::Kind::kSequence) {
          ASSERT_EQ(told.value == "true", told.events.size() == steps);
        }
      }
      if (told.events.empty()) continue;
      ++named;
      std::vector<Record> alone;
      std::copy_if(records.begin(), records.end(), std::back_inserter(alone), [&](const Record& record) {
        return std::any_of(told.events.begin(), told.events.end(), [&](const auto& event) { return event.id == record.id; });
      });
      ASSERT_EQ(alone.size(), told.events.size());
      ASSERT_EQ(Naive(expression, alone), told.value);
      if (expression.kind == Expression::Kind::kSequenceMatches || told.value == "false") continue;
      // No run that began later comes as far.
      std::vector<Record> sorted = records;
      std::stable_sort(sorted.begin(), sorted.end(), [](const Record& a, const Record& b) { return a.time < b.time; });
      const auto first = std::find_if(sorted.begin(), sorted.end(), [&](const Record& r) { return r.id == told.events[0].id; });
      sorted.erase(sorted.begin(), first + 1);
      ASSERT_NE(Naive(expression, sorted), told.value);
    }
  }
  EXPECT_GT(named, 1000);
}

}  // namespace
}  // namespace attune::oracle

#include "event/json_schema.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <map>

#include "data_files/data_files.h"

namespace attune {
namespace {

namespace dom = simdjson::dom;

struct SuiteCount {
  int groups = 0, refused_groups = 0;
  std::map<std::string, int> refused_for;  // groups by keyword
  int tests = 0, passed = 0;
};

// The keyword that a refusal names: the text between its first quotes.
std::string NamedKeyword(const std::string& message) {
  const size_t begin = message.find('"');
  return begin == std::string::npos ? "" : message.substr(begin, message.find('"', begin + 1) - begin + 1);
}

void RunGroup(const std::string& file, dom::element group, SuiteCount* count) {
  const std::string schema_text = simdjson::minify(group["schema"]);
  const std::string name = file + ": " + std::string(std::string_view(group["description"]));
  const auto schema = JsonSchema::Compile(schema_text);
  ++count->groups;
  if (!schema.ok()) {
    ++count->refused_groups;
    const std::string keyword = NamedKeyword(schema.error().message);
    ++count->refused_for[keyword];
    EXPECT_TRUE(!keyword.empty() && schema_text.find(keyword) != std::string::npos)
        << name << ": " << schema.error().message;
    return;
  }
  for (const dom::element test : dom::array(group["tests"])) {
    ++count->tests;
    JsonSchema::Mismatch mismatch;
    const auto verdict = (*schema)->Check(simdjson::minify(test["data"]), &mismatch);
    const bool passed = verdict.ok() && *verdict == bool(test["valid"]);
    count->passed += passed;
    EXPECT_TRUE(passed) << name << " / " << std::string_view(test["description"]) << "\n"
                        << schema_text << "\n"
                        << simdjson::minify(test["data"]);
    EXPECT_TRUE(!verdict.ok() || *verdict || !mismatch.expected.empty()) << name;
  }
}

TEST(JsonSchema, PassesTheRequiredSuiteOrRefusesByName) {
  const auto files = DataArchive("json-schema-2020-12/tests");
  ASSERT_TRUE(files.ok()) << files.error().message;
  SuiteCount count;
  for (const auto& [name, text] : *files) {
    dom::parser parser;
    dom::element groups;
    ASSERT_EQ(parser.parse(text).get(groups), simdjson::SUCCESS) << name;
    for (const dom::element group : dom::array(groups)) RunGroup(name, group, &count);
  }
  std::printf("JSON Schema 2020-12, required: %d groups, %d refused by name; %d tests run, %d passed\n", count.groups,
              count.refused_groups, count.tests, count.passed);
  for (const auto& [keyword, groups] : count.refused_for) {
    std::printf("  refused for %s: %d\n", keyword.c_str(), groups);
  }
  EXPECT_EQ(count.groups, 383);
  EXPECT_EQ(count.passed, count.tests);
  EXPECT_GE(count.passed, 856);
}

TEST(JsonSchema, SaysWhereAndWhatTheFirstMismatchIs) {
  constexpr struct {
    const char* schema;
    const char* value;
    const char* pointer;
    const char* expected;
    const char* found;
  } kCases[] = {
      {R"({"type":"number"})", R"("12,50")", "", "number", R"(string "12,50")"},
      {R"({"properties":{"a/b":{"items":{"type":["string","null"]}}}})", R"({"a/b":["x",1]})", "/a~1b/1",
       "string or null", "number 1"},
      {R"({"required":["x"]})", "{}", "/x", "a value", "nothing"},
      {R"({"minimum":2.5})", "2", "", "a number of at least 2.5", "number 2"},
      {R"({"maxLength":2})", R"("łłł")", "", "0 to 2 characters", R"(string "łłł")"},
      {R"({"enum":["a",1]})", "null", "", R"(one of ["a",1])", "null"},
      {R"({"additionalProperties":false,"properties":{"a":true}})", R"({"a":1,"b":2})", "/b", "nothing", "number 2"},
      {R"({"propertyNames":{"pattern":"^[a-z]+$"}})", R"({"A":1})", "/A", "text that matches \"^[a-z]+$\"",
       R"(string "A")"},
      {R"({"anyOf":[{"type":"string"},{"type":"null"}]})", "true", "", "a value that matches one of 2 schemas",
       "boolean true"},
  };
  for (const auto& [text, value, pointer, expected, found] : kCases) {
    const auto schema = JsonSchema::Compile(text);
    ASSERT_TRUE(schema.ok()) << schema.error().message;
    JsonSchema::Mismatch mismatch;
    EXPECT_FALSE((*schema)->Check(value, &mismatch).value());
    EXPECT_EQ(mismatch.pointer, pointer) << text;
    EXPECT_EQ(mismatch.expected, expected) << text;
    EXPECT_EQ(mismatch.found, found) << text;
  }
}

TEST(JsonSchema, RefusesWhatItDoesNotKnow) {
  constexpr struct {
    const char* schema;
    const char* message;
  } kSchemas[] = {
      {"{", "the schema is not JSON"},
      {"3", "expected a schema: an object, true or false"},
      {R"({"properties":{"a":{"requierd":["b"]}}})",
       "\"requierd\": the keyword is not supported (at /properties/a/requierd)"},
      {R"({"format":"email"})", "\"format\": the keyword is not supported (at /format)"},
      {R"({"type":"text"})", "\"type\": expected null, boolean, object, array, number, string or integer (at /type)"},
      {R"({"$ref":"other.json"})",
       "\"$ref\": no schema \"other.json\" inside this one; nothing is ever fetched (at /$ref)"},
      {R"({"required":"x"})", "\"required\": expected a list of names (at /required)"},
      {R"({"dependentRequired":{"a":{"b":1}}})", "\"dependentRequired\": expected a list of names (at /dependentRequired)"},
      {R"({"minLength":-1})", "\"minLength\": expected a whole number of 0 or more (at /minLength)"},
      {R"x({"pattern":"(a)\\1"})x", nullptr},
      {R"({"$schema":"http://json-schema.org/draft-07/schema#"})", nullptr},
  };
  for (const auto& [text, message] : kSchemas) {
    const auto schema = JsonSchema::Compile(text);
    ASSERT_FALSE(schema.ok()) << text;
    EXPECT_EQ(schema.error().code, ErrorCode::kInvalid);
    if (message != nullptr) {
      EXPECT_EQ(schema.error().message, message);
    }
  }
}

TEST(JsonSchema, ACircleEnds) {
  const auto circle = JsonSchema::Compile(R"({"$ref":"#"})");
  ASSERT_TRUE(circle.ok());
  JsonSchema::Mismatch mismatch;
  EXPECT_FALSE((*circle)->Check("1", &mismatch).ok());
  const auto bomb = JsonSchema::Compile(R"({"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"},{"$ref":"#/$defs/b"}]},
    "b":{"anyOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}]}},"$ref":"#/$defs/a"})");
  ASSERT_TRUE(bomb.ok());
  EXPECT_FALSE((*bomb)->Check("1", &mismatch).ok());
}

}  // namespace
}  // namespace attune

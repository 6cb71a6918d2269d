#include "event/json_text.h"

#include <gtest/gtest.h>

#include <map>

#include "data_files/data_files.h"
#include "event/event.h"

namespace attune {
namespace {

using Kind = JsonFault::Kind;

TEST(JsonText, ReportsMistakesWithPositions) {
  const struct {
    const char* json;
    Kind kind;
    size_t offset;
    const char* what;
  } kBad[] = {
      {"", Kind::kSyntax, 0, "there is no value"},
      {"{\"a\" 1}", Kind::kSyntax, 5, "expected \":\""},
      {"{\"a\":1 \"b\":2}", Kind::kSyntax, 7, "expected \",\" or \"}\""},
      {"[1 2]", Kind::kSyntax, 3, "expected \",\" or \"]\""},
      {"{\"a\":tru}", Kind::kSyntax, 5, "expected a value"},
      {"{\"a\":", Kind::kSyntax, 5, "the text ends where a value should be"},
      {"{a:1}", Kind::kSyntax, 1, "expected a member's name in double quotes"},
      {"{\"a\":1,}", Kind::kSyntax, 7, "expected a member's name in double quotes"},
      {"[1] x", Kind::kSyntax, 4, "something follows the value"},
      {"\"a\nb\"", Kind::kSyntax, 2, "a control character inside a string"},
      {"\"a", Kind::kSyntax, 2, "a string that does not end"},
      {"\"\\x\"", Kind::kSyntax, 2, "an escape that JSON does not have"},
      {"01", Kind::kSyntax, 1, "a number does not begin with 0"},
      {"[1.]", Kind::kSyntax, 3, "expected a digit"},
      {"[\"\xFF\"]", Kind::kEncoding, 2, "a byte that is not UTF-8"},
      {"[\"\\ud800\"]", Kind::kEncoding, 2, "half a surrogate pair"},
      {"[1e400]", Kind::kNumber, 1, "a number out of range"},
      {"[123456789012345678901]", Kind::kNumber, 1, "a number out of range"},
      {"[[[[1]]]]", Kind::kDepth, 3, "nested too deep"},
      {"[\"\xFF\", 1 2]", Kind::kSyntax, 8, "expected \",\" or \"]\""},  // a syntax fault takes precedence
  };
  for (const auto& [json, kind, offset, what] : kBad) {
    const auto fault = FindJsonFault(json, 3);
    ASSERT_TRUE(fault.has_value()) << json;
    EXPECT_EQ(fault->kind, kind) << json;
    EXPECT_EQ(fault->offset, offset) << json;
    EXPECT_EQ(fault->what, what) << json;
  }
}

TEST(JsonText, FindsNoFaultWhereThereIsNone) {
  for (const char* json : {"1", " [ ] ", "{}", "{\"a\":[{\"b\":null}],\"c\":\"\\ud83d\\ude00\"}", "1e-400", "-0",
                           "18446744073709551615", "-9223372036854775808"}) {
    EXPECT_FALSE(FindJsonFault(json, 3).has_value()) << json;
  }
}

TEST(JsonText, ADeepTextCostsNoStack) {
  const auto fault = FindJsonFault(std::string(1'000'000, '['), 32);
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->kind, Kind::kSyntax);
  std::string objects;
  for (int i = 0; i < 200'000; ++i) objects += "{\"a\":[";
  EXPECT_EQ(FindJsonFault(objects, 32)->kind, Kind::kSyntax);
}

TEST(JsonText, CountsLinesAndCharacters) {
  const std::string_view text = "ab\nł€x";
  EXPECT_EQ(PositionOf(text, 0).column, 1u);
  EXPECT_EQ(PositionOf(text, 3).line, 2u);
  EXPECT_EQ(PositionOf(text, 3).column, 1u);
  EXPECT_EQ(PositionOf(text, 8).column, 3u);
}

TEST(JsonText, CutsBetweenCharacters) {
  EXPECT_EQ(Preview("abc", 3), "abc");
  EXPECT_EQ(Preview("abcd", 3), "abc…");
  EXPECT_EQ(Preview("abłd", 3), "ab…");
}

std::string Slices(std::string_view text) {
  JsonSlices slices(text);
  std::string out;
  while (slices.Next()) {
    out += slices.key();
    out += '<';
    out += slices.value();
    out += '>';
  }
  return slices.ok() ? out : "bad";
}

TEST(JsonText, SlicesAreExactlyWhatWasSent) {
  constexpr struct {
    const char* text;
    const char* slices;
  } kTexts[] = {
      {"[]", ""},
      {" { } ", ""},
      {"[1, 2 ,\"a]\"]", "<1><2><\"a]\">"},
      {"{\"a\": {\"b\" : [1, {}]}, \"c\\\"d\":\"}\\\\\"}", "a<{\"b\" : [1, {}]}>c\\\"d<\"}\\\\\">"},
      {"[{\"a\":tru},{}]", "<{\"a\":tru}><{}>"},
      {"[1", "bad"},
      {"[1 2]", "bad"},
      {"[1,]", "bad"},
      {"{\"a\"}", "bad"},
      {"{\"a\":}", "bad"},
      {"{1:2}", "bad"},
      {"[] x", "bad"},
      {"3", "bad"},
      {"", "bad"},
      {"[\"a]", "bad"},
      {"[{\"a\":1]", "bad"},
  };
  for (const auto& [text, slices] : kTexts) EXPECT_EQ(Slices(text), slices) << text;
}

// For every alignment of brackets, quotes and backslashes to the blocks that are scanned at once.
TEST(JsonText, SlicesAreFoundAcrossBlocks) {
  const std::string inner = R"({"k\\\"}":["]","{\\",[{}],"\\\\\""]})";
  for (size_t before = 0; before < 140; ++before) {
    const std::string padded =
        "[" + std::string(before, ' ') + "\"" + std::string(before % 67, 'x') + "\"," + inner + "]";
    const std::string text = "[" + padded + "," + inner + "]";
    EXPECT_EQ(Slices(text), "<" + padded + "><" + inner + ">") << before;
    EXPECT_EQ(Slices(text.substr(0, text.size() - 1)), "bad");
  }
}

// The slow parser finds a fault in every text that the fast one refuses, and both accept all texts that must be JSON.
TEST(JsonText, AgreesWithTheTestSuite) {
  const auto files = DataArchive("jsontestsuite/test_parsing");
  ASSERT_TRUE(files.ok()) << files.error().message;
  std::map<char, int> refused, all;
  EventReader reader;
  for (const auto& [name, text] : *files) {
    const std::string event = "{\"properties\":" + text + "}";
    const bool fault = FindJsonFault(text, 2000).has_value();
    ++all[name[0]];
    refused[name[0]] += fault;
    EXPECT_TRUE(name[0] == 'i' || fault == (name[0] == 'n')) << name;
    const bool shallow_fault = FindJsonFault(event, kMaxEventDepth).has_value();
    EXPECT_EQ(reader.Open(event).ok(), !shallow_fault) << name;
  }
  EXPECT_EQ(all['y'], 95);
  EXPECT_EQ(all['n'], 188);
  EXPECT_EQ(all['i'], 35);
}

}  // namespace
}  // namespace attune

#include "http/message.h"

#include <gtest/gtest.h>

#include "http/problem.h"
#include "http/response_head.h"

namespace attune {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST(Message, DecodesPathSegments) {
  EXPECT_EQ(DecodePathSegment("a%2Fb+%c3%a4"), "a/b+\xC3\xA4");
  EXPECT_EQ(DecodePathSegment(""), "");
  EXPECT_EQ(DecodePathSegment("a%00b"), std::string("a\0b", 3));
  for (const char* bad : {"%", "%2", "%2g", "a%"}) {
    EXPECT_EQ(DecodePathSegment(bad), std::nullopt) << bad;
  }
}

TEST(Message, SplitsTheTarget) {
  const Request plain("GET", "/a/b");
  EXPECT_EQ(plain.path(), "/a/b");
  EXPECT_EQ(plain.query(), "");
  const Request query("GET", "/a?b=1?c");
  EXPECT_EQ(query.path(), "/a");
  EXPECT_EQ(query.query(), "b=1?c");
  const Request head("HEAD", "/");
  EXPECT_EQ(head.method(), "GET");
  EXPECT_TRUE(head.is_head());
}

TEST(Message, FindsQueryParameters) {
  const Request request("GET", "/?a=1&b&a=2&&c=x%26y&na%6De=z&d=");
  EXPECT_EQ(request.QueryParameter("a"), "1");
  EXPECT_EQ(request.QueryParameter("b"), "");
  EXPECT_EQ(request.QueryParameter("c"), "x&y");
  EXPECT_EQ(request.QueryParameter("name"), "z");
  EXPECT_EQ(request.QueryParameter("d"), "");
  EXPECT_EQ(request.QueryParameter("e"), std::nullopt);
  EXPECT_EQ(request.QueryParameters(),
            (Pairs{{"a", "1"}, {"b", ""}, {"a", "2"}, {"c", "x&y"}, {"name", "z"}, {"d", ""}}));
}

TEST(Message, SplitsThePathIntoSegments) {
  const auto segments = [](std::string_view target) { return Request("GET", target).PathSegments(); };
  EXPECT_EQ(segments("/"), std::vector<std::string>{});
  EXPECT_EQ(segments("/v1/users/a%2Fb?x"), (std::vector<std::string>{"v1", "users", "a/b"}));
  EXPECT_EQ(segments("/a/"), (std::vector<std::string>{"a", ""}));
  EXPECT_EQ(segments("/a//b"), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(segments("/a/%2"), std::nullopt);
}

TEST(Message, FindsHeadersInEitherCase) {
  Request request("GET", "/");
  request.AddHeader("X-One", "1");
  request.AddHeader("x-one", "2");
  EXPECT_EQ(request.Header("x-ONE"), "1");
  EXPECT_EQ(request.Header("x-on"), std::nullopt);
  EXPECT_EQ(request.header_count(), 2u);
  EXPECT_EQ(request.header(1).second, "2");
}

TEST(Message, SurvivesBeingMoved) {
  Request request("GET", "/a");  // short enough for the small-string buffer
  request.AddHeader("A", "b");
  const Request moved = std::move(request);
  EXPECT_EQ(moved.path(), "/a");
  EXPECT_EQ(moved.Header("a"), "b");
}

TEST(Problem, IsWrittenInFull) {
  const Response response = Problem(Code::kBodyTooLarge, "said \"\\\n\x01\xff\xC3\xA4",
                                    {{"limit", int64_t{5}}, {"field", "a"}, {"final", true}});
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(response.body,
            "{\"type\":\"https://attune.invalid/problems/body_too_large\",\"title\":\"the body is larger than 4 MiB, as sent or after decompression\","
            "\"status\":413,\"detail\":\"said \\\"\\\\\\n\\u0001\xEF\xBF\xBD\xC3\xA4\","
            "\"code\":\"body_too_large\",\"limit\":5,\"field\":\"a\",\"final\":true}");
}

TEST(Problem, ReplacesWhatIsNotUtf8) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"\xF0\x9F\x98\x80", "\"\xF0\x9F\x98\x80\""},
      {"\xC0\xAF", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},                  // overlong
      {"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},  // surrogate
      {"\xF4\x90\x80\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
      {"\xE2\x82", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},  // truncated
  };
  for (const auto& [text, json] : cases) {
    std::string out;
    AppendJsonString(text, &out);
    EXPECT_EQ(out, json);
  }
}

TEST(ResponseHead, WritesADate) { EXPECT_EQ(http::FormatHttpDate(784111777), "Sun, 06 Nov 1994 08:49:37 GMT"); }

TEST(ResponseHead, IsWrittenInFull) {
  Response response;
  response.status = 201;
  response.content_type = "text/plain";
  response.headers = {{"Location", "/a"}};
  response.body = "abc";
  std::string out;
  http::AppendResponseHead(response, {.date = "now"}, &out);
  EXPECT_EQ(out,
            "HTTP/1.1 201 Created\r\nDate: now\r\nContent-Type: text/plain\r\n"
            "X-Content-Type-Options: nosniff\r\nLocation: /a\r\nCache-Control: no-store\r\nContent-Length: 3\r\n\r\n");
}

}  // namespace
}  // namespace attune

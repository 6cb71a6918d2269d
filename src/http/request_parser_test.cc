#include "http/request_parser.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace attune {
namespace {

using Progress = RequestParser::Progress;

// The status of the refusal, 200 for a complete request, 0 while more bytes are needed.
int Verdict(std::string_view bytes, size_t piece, HttpLimits limits = {}) {
  RequestParser parser(limits);
  std::string pending;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    pending.append(bytes.substr(at, piece));
    size_t used = 0;
    const Progress progress = parser.Feed(pending, &used);
    if (progress == Progress::kFailed) return parser.failure().status;
    if (progress == Progress::kDone) return 200;
    pending.erase(0, used);
  }
  return 0;
}

std::string Get(std::string_view fields) { return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n"; }
std::string Post(std::string_view fields, std::string_view body) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}
std::string Chunked(std::string_view body) { return Post("Transfer-Encoding: chunked\r\n", body); }

struct Vector {
  const char* name;
  std::string bytes;
  int verdict;
};

const std::vector<Vector>& Vectors() {
  static const std::vector<Vector> vectors = {
      {"plain", Get(""), 200},
      {"http/1.0 needs no host", "GET / HTTP/1.0\r\n\r\n", 200},
      {"a leading line break is forgiven", "\r\n" + Get(""), 200},
      {"two are not", "\r\n\r\n" + Get(""), 400},
      {"length", Post("Content-Length: 3\r\n", "abc"), 200},
      {"length zero", Post("Content-Length: 0\r\n", ""), 200},
      {"chunks", Chunked("3\r\nabc\r\n0\r\n\r\n"), 200},
      {"chunks with extension", Chunked("3;a=b\r\nabc\r\n0\r\n\r\n"), 200},
      {"chunks with trailer", Chunked("3\r\nabc\r\n0\r\nX: y\r\n\r\n"), 200},
      {"chunk size in capitals", Chunked("00A\r\n0123456789\r\n0\r\n\r\n"), 200},
      {"empty value", Get("X:\r\n"), 200},
      {"bytes above 127 in a value", Get("X: \xC3\xA4\r\n"), 200},
      {"tab in a value", Get("X: a\tb\r\n"), 200},
      {"absolute form", "GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n", 200},
      {"star for options", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 200},

      {"length and encoding", Post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {"encoding and length", Post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"), 400},
      {"two lengths that differ", Post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"), 400},
      {"two equal lengths", Post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400},
      {"a list of lengths", Post("Content-Length: 3, 3\r\n", "abc"), 400},
      {"negative length", Post("Content-Length: -1\r\n", ""), 400},
      {"length with plus", Post("Content-Length: +3\r\n", "abc"), 400},
      {"hexadecimal length", Post("Content-Length: 0x3\r\n", "abc"), 400},
      {"empty length", Post("Content-Length: \r\n", ""), 400},
      {"length above 64 bits", Post("Content-Length: 18446744073709551616\r\n", ""), 400},
      {"length with a blank within", Post("Content-Length: 1 2\r\n", "abc"), 400},
      {"xchunked", Post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 400},
      {"identity", Post("Transfer-Encoding: identity\r\n", "0\r\n\r\n"), 400},
      {"gzip, chunked", Post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 400},
      {"chunked, identity", Post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), 400},
      {"chunked twice", Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {"chunked after identity", Post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", ""), 400},
      {"quoted chunked", Post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), 400},
      {"chunked in http/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"bare lf after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
      {"bare lf after a field", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400},
      {"bare cr in a value", Get("X: a\rb\r\n"), 400},
      {"folded field", Get("X: a\r\n b\r\n"), 400},
      {"folded field with tab", Get("X: a\r\n\tb\r\n"), 400},
      {"folded empty field", Get("X:\r\n b\r\n"), 400},
      {"folded blank field", Get("X: \r\n \r\n"), 400},
      {"folded with a blank line", Get("X: a\r\n \r\n"), 400},
      {"folded trailer", Chunked("0\r\nX: a\r\n b\r\n\r\n"), 400},
      {"blank before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
      {"blank before the colon", Get("X : a\r\n"), 400},
      {"blank before the colon of a length", Post("Content-Length : 3\r\n", "abc"), 400},
      {"no colon", Get("X\r\n"), 400},
      {"empty name", Get(": a\r\n"), 400},
      {"nul in a value", Get(std::string("X: a\0b\r\n", 8)), 400},
      {"nul in a name", Get(std::string("X\0: a\r\n", 7)), 400},
      {"control in a value",
       Get("X: a\x01"
           "b\r\n"),
       400},
      {"del in a value", Get("X: a\x7f\r\n"), 400},
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two hosts", Get("Host: a\r\n"), 400},
      {"host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
      {"two hosts in one", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
      {"absolute form of another host", "GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"absolute form without host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"authority form", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"star for get", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"fragment", "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"two blanks", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"tab for a blank", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"blank after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
      {"control in the target", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"no method", " / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"http/0.9", "GET /\r\n\r\n", 400},
      {"no version number", "GET / HTTP/x.1\r\nHost: a\r\n\r\n", 400},
      {"lowercase version", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
      {"http/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
      {"http/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"chunk size not hexadecimal", Chunked("x\r\n\r\n0\r\n\r\n"), 400},
      {"chunk size negative", Chunked("-1\r\n\r\n0\r\n\r\n"), 400},
      {"chunk size with plus", Chunked("+3\r\nabc\r\n0\r\n\r\n"), 400},
      {"chunk size with 0x", Chunked("0x3\r\nabc\r\n0\r\n\r\n"), 400},
      {"chunk size empty", Chunked("\r\nabc\r\n0\r\n\r\n"), 400},
      {"chunk size with blank before", Chunked(" 3\r\nabc\r\n0\r\n\r\n"), 400},
      {"chunk size above 64 bits", Chunked("10000000000000003\r\nabc\r\n0\r\n\r\n"), 400},
      {"chunk too short for its bytes", Chunked("2\r\nabc\r\n0\r\n\r\n"), 400},
      {"chunk header with bare lf", Chunked("3\nabc\r\n0\r\n\r\n"), 400},
      {"chunk header with bare cr", Chunked("3\rabc\r\n0\r\n\r\n"), 400},
      {"last chunk with bare lf", Chunked("0\n\r\n\r\n"), 400},
      {"length in a trailer", Chunked("0\r\nContent-Length: 3\r\n\r\n"), 400},
      {"encoding in a trailer", Chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
      {"unknown expectation", Post("Expect: 200-ok\r\nContent-Length: 3\r\n", "abc"), 417},
      {"body that is announced too large", Post("Content-Length: 4194305\r\n", ""), 413},
      {"chunk that is announced too large", Chunked("400001\r\n"), 413},
  };
  return vectors;
}

TEST(RequestParser, JudgesEachVector) {
  for (const Vector& v : Vectors()) EXPECT_EQ(Verdict(v.bytes, v.bytes.size()), v.verdict) << v.name;
}

// The verdict is the same for any split, except that a head is checked only once it is complete: a
// malformed head without an end may still be waiting for it.
TEST(RequestParser, TheVerdictDoesNotDependOnThePieces) {
  for (const Vector& v : Vectors()) {
    for (size_t piece : {1, 2, 3, 5, 7, 16}) {
      const int verdict = Verdict(v.bytes, piece);
      EXPECT_TRUE(verdict == v.verdict || (v.verdict >= 400 && verdict == 0))
          << v.name << ", " << piece << " bytes at a time: " << verdict;
      if (v.bytes.ends_with("\r\n\r\n")) {
        EXPECT_EQ(verdict, v.verdict) << v.name << ", " << piece;
      }
    }
  }
}

TEST(RequestParser, HandsOutWhatWasSent) {
  HttpLimits limits;
  RequestParser parser(limits);
  const std::string bytes =
      "POST /v1/users/a%2Fb/x?q=1+2&r=%C3%A4 HTTP/1.1\r\nHost: a\r\nX-Thing:  one \r\n"
      "Content-Length: 5\r\n\r\nhelloGET / HTTP";
  size_t used = 0;
  ASSERT_EQ(parser.Feed(bytes, &used), Progress::kDone);
  EXPECT_EQ(bytes.substr(used), "GET / HTTP");
  Request request = parser.TakeRequest();
  EXPECT_EQ(request.method(), "POST");
  EXPECT_EQ(request.path(), "/v1/users/a%2Fb/x");
  EXPECT_EQ(request.query(), "q=1+2&r=%C3%A4");
  EXPECT_EQ(request.QueryParameter("q"), "1 2");
  EXPECT_EQ(request.Header("x-thing"), "one");
  EXPECT_EQ(request.body, "hello");
  EXPECT_GE(request.body.capacity(), request.body.size() + Request::kBodyPadding);
  EXPECT_TRUE(parser.keep_alive());
  EXPECT_FALSE(parser.started());
}

TEST(RequestParser, ClearsItsStateBetweenRequests) {
  HttpLimits limits;
  RequestParser parser(limits);
  for (int i = 0; i < 3; ++i) {
    const std::string bytes = Post("Content-Length: 1\r\n", std::to_string(i));
    size_t used = 0;
    ASSERT_EQ(parser.Feed(bytes, &used), Progress::kDone);
    EXPECT_EQ(parser.TakeRequest().body, std::to_string(i));
  }
}

TEST(RequestParser, KeepAliveFollowsTheVersion) {
  const struct {
    const char* bytes;
    bool keep_alive;
  } cases[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", false},
      {"GET / HTTP/1.0\r\n\r\n", false},
      {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
  };
  for (const auto& c : cases) {
    HttpLimits limits;
    RequestParser parser(limits);
    size_t used = 0;
    ASSERT_EQ(parser.Feed(c.bytes, &used), Progress::kDone) << c.bytes;
    parser.TakeRequest();
    EXPECT_EQ(parser.keep_alive(), c.keep_alive) << c.bytes;
  }
}

TEST(RequestParser, LimitsHoldExactly) {
  HttpLimits limits;
  limits.head_bytes = 1000;
  limits.head_fields = 10;
  limits.target_bytes = 100;
  limits.body_bytes = 50;
  limits.chunk_extension_bytes = 20;
  const auto head = [](size_t size) {
    const size_t fixed = Get("X: \r\n").size();
    return Get("X: " + std::string(size - fixed, 'x') + "\r\n");
  };
  const auto fields = [](size_t count) {
    std::string text;
    for (size_t i = 1; i < count; ++i) text += "X: y\r\n";  // one is Host
    return Get(text);
  };
  const auto target = [](size_t size) { return "GET /" + std::string(size - 1, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n"; };
  const auto body = [](size_t size) {
    return Post("Content-Length: " + std::to_string(size) + "\r\n", std::string(size, 'x'));
  };
  const auto chunks = [](size_t size) {
    std::string text;
    for (size_t i = 0; i < size; ++i) text += "1\r\nx\r\n";
    return Chunked(text + "0\r\n\r\n");
  };
  const auto extension = [](size_t size) {  // ';' counts
    return Chunked("1;" + std::string(size - 1, 'x') + "\r\nx\r\n0\r\n\r\n");
  };
  for (size_t piece : {1, 64, 100'000}) {
    for (const int off : {-1, 0, 1}) {
      const auto expect = [&](int refusal) { return off > 0 ? refusal : 200; };
      EXPECT_EQ(Verdict(head(1000 + off), piece, limits), expect(431)) << piece << " " << off;
      EXPECT_EQ(Verdict(fields(10 + off), piece, limits), expect(431)) << piece << " " << off;
      EXPECT_EQ(Verdict(target(100 + off), piece, limits), expect(414)) << piece << " " << off;
      EXPECT_EQ(Verdict(body(50 + off), piece, limits), expect(413)) << piece << " " << off;
      EXPECT_EQ(Verdict(chunks(50 + off), piece, limits), expect(413)) << piece << " " << off;
      EXPECT_EQ(Verdict(extension(20 + off), piece, limits), expect(400)) << piece << " " << off;
    }
  }
}

TEST(RequestParser, WhatNeverEndsIsCutOff) {
  HttpLimits limits;
  limits.head_bytes = 1000;
  EXPECT_EQ(Verdict("GET /" + std::string(5000, 'x'), 64, limits), 414);
  EXPECT_EQ(Verdict("GET / HTTP/1.1\r\nX: " + std::string(5000, 'x'), 64, limits), 431);
  EXPECT_EQ(Verdict(Chunked("1;" + std::string(50'000, 'x')), 64, limits), 400);
  EXPECT_EQ(Verdict(Chunked("0\r\nX: " + std::string(50'000, 'x')), 64, limits), 400);
}

// Random mutations and random splits: a request with a verdict gets the same verdict as in one
// piece.
TEST(RequestParser, MutatedBytesAreJudgedTheSameInPieces) {
  std::mt19937 random(1);
  const auto below = [&](size_t n) { return random() % n; };
  const std::string interesting("\r\n\t :,;0123456789abcdefx\x7f\xff\0", 28);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = Vectors()[below(Vectors().size())].bytes;
    for (size_t n = 1 + below(4); n > 0; --n) {
      const size_t at = below(bytes.size());
      const char c = interesting[below(interesting.size())];
      switch (below(3)) {
        case 0: bytes[at] = c; break;
        case 1: bytes.insert(at, 1, c); break;
        case 2: bytes.insert(at, bytes.substr(below(bytes.size()), below(8))); break;
      }
    }
    const int whole = Verdict(bytes, bytes.size());
    const int pieces = Verdict(bytes, 1 + below(8));
    ASSERT_TRUE(whole == pieces || (whole >= 400 && pieces == 0)) << whole << " " << pieces << "\n" << bytes;
  }
}

TEST(RequestParser, AnExpectationIsToldOnce) {
  HttpLimits limits;
  RequestParser parser(limits);
  const std::string head = Post("Expect: 100-continue\r\nContent-Length: 3\r\n", "");
  size_t used = 0;
  ASSERT_EQ(parser.Feed(head, &used), Progress::kNeedMore);
  EXPECT_TRUE(parser.in_body());
  EXPECT_TRUE(parser.TakeExpectation());
  EXPECT_FALSE(parser.TakeExpectation());
  ASSERT_EQ(parser.Feed("abc", &used), Progress::kDone);
}

}  // namespace
}  // namespace attune

#include "http/server.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "http/client.h"

namespace attune {
namespace {

Response Text(std::string body) {
  Response response;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(body);
  return response;
}

// Passes a value from one thread to another, which waits for it.
template <typename T>
class Slot {
 public:
  void Put(T value) {
    std::lock_guard lock(mutex_);
    value_.emplace(std::move(value));
    filled_.notify_all();
  }
  T Take() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [this] { return value_.has_value(); });
    T value = std::move(*value_);
    value_.reset();
    return value;
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::optional<T> value_;
};

std::unique_ptr<Server> StartServer(Handler handler, HttpLimits limits = {}, int threads = 1) {
  ServerOptions options;
  options.threads = threads;
  options.limits = limits;
  auto server = Server::Start(options, std::move(handler));
  EXPECT_TRUE(server.ok()) << server.error().message;
  return std::move(*server);
}

Client Connect(const Server& server) {
  auto client = Client::Connect("127.0.0.1", server.port());
  EXPECT_TRUE(client.ok()) << client.error().message;
  return std::move(*client);
}

// Answers with the method, path, query and body.
void Echo(Request request, Reply reply) {
  reply.Send(Text(std::string(request.method()) + " " + std::string(request.path()) + " " +
                  std::string(request.query()) + " " + request.body));
}

bool IsClosed(Client& client) {
  const auto bytes = client.ReadSome();
  return bytes.ok() && bytes->empty();
}

TEST(Server, KeepsAConnectionForManyRequests) {
  auto server = StartServer(Echo);
  Client client = Connect(*server);
  for (int i = 0; i < 3; ++i) {
    const auto response = client.Call("POST", "/a?b=c", {}, std::to_string(i));
    ASSERT_TRUE(response.ok()) << response.error().message;
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body, "POST /a b=c " + std::to_string(i));
    EXPECT_EQ(response->Header("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(response->Header("Content-Type"), "text/plain; charset=utf-8");
    EXPECT_FALSE(response->Header("Server"));
    EXPECT_FALSE(response->Header("Connection"));
  }
  EXPECT_EQ(server->stats().connections_accepted, 1u);
  EXPECT_EQ(server->stats().requests, 3u);
}

TEST(Server, TellsThePeersAddress) {
  auto server = StartServer([](Request request, Reply reply) { reply.Send(Text(request.peer())); });
  EXPECT_EQ(Connect(*server).Call("GET", "/")->body, "127.0.0.1");
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  auto server = StartServer(Echo);
  Client client = Connect(*server);
  std::string bytes;
  for (int i = 0; i < 100; ++i) {
    bytes += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  }
  ASSERT_TRUE(client.SendRaw(bytes).ok());
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(client.ReadResponse()->body, "GET /" + std::to_string(i) + "  ");
  }
}

TEST(Server, TakesARequestByteByByte) {
  auto server = StartServer(Echo);
  Client client = Connect(*server);
  const std::string bytes = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  for (const char c : bytes) ASSERT_TRUE(client.SendRaw(std::string(1, c)).ok());
  EXPECT_EQ(client.ReadResponse()->body, "POST /  abc");
}

TEST(Server, MovesLargeBodiesBothWays) {
  auto server = StartServer([](Request request, Reply reply) { reply.Send(Text(std::move(request.body))); });
  Client client = Connect(*server);
  std::string body(3'000'000, 'x');
  for (size_t i = 0; i < body.size(); i += 997) body[i] = static_cast<char>('a' + i % 26);
  const auto response = client.Call("POST", "/", {}, body);
  ASSERT_TRUE(response.ok()) << response.error().message;
  EXPECT_TRUE(response->body == body);
}

TEST(Server, AnAnswerMayComeFromAnotherThread) {
  std::vector<std::thread> threads;
  auto server = StartServer([&](Request request, Reply reply) {
    threads.emplace_back([request = std::move(request), reply = std::move(reply)]() mutable {
      reply.Send(Text(std::string(request.path())));
    });
  });
  Client client = Connect(*server);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(client.Call("GET", "/" + std::to_string(i))->body, "/" + std::to_string(i));
  }
  server.reset();
  for (std::thread& thread : threads) thread.join();
}

TEST(Server, ManyConnectionsOnManyThreadsGetTheirOwnAnswers) {
  std::mutex mutex;
  std::vector<std::pair<Reply, std::string>> waiting;
  auto server = StartServer(
      [&](Request request, Reply reply) {
        std::lock_guard lock(mutex);
        waiting.emplace_back(std::move(reply), std::string(request.path()));
        if (waiting.size() < 4) return;  // as a group commit does
        for (auto& [other, text] : waiting) other.Send(Text(text));
        waiting.clear();
      },
      {}, 2);
  std::vector<std::thread> clients;
  for (int c = 0; c < 4; ++c) {
    clients.emplace_back([&, c] {
      Client client = Connect(*server);
      for (int i = 0; i < 200; ++i) {
        const std::string path = "/" + std::to_string(c) + "/" + std::to_string(i);
        const auto response = client.Call("GET", path);
        ASSERT_TRUE(response.ok()) << response.error().message;
        ASSERT_EQ(response->body, path);
      }
    });
  }
  for (std::thread& client : clients) client.join();
}

TEST(Server, ADroppedReplyAnswers500) {
  auto server = StartServer([](Request, Reply) {});
  Client client = Connect(*server);
  for (int i = 0; i < 2; ++i) {
    const auto response = client.Call("GET", "/");
    EXPECT_EQ(response->status, 500);
    EXPECT_EQ(response->Header("Content-Type"), "application/problem+json; charset=utf-8");
  }
}

TEST(Server, AnEscapedExceptionAnswers500) {
  auto server = StartServer([](Request, Reply) { throw std::runtime_error("x"); });
  EXPECT_EQ(Connect(*server).Call("GET", "/")->status, 500);
  EXPECT_EQ(server->stats().handler_failures, 1u);
}

TEST(Server, AReplyMayOutliveConnectionAndServer) {
  Slot<Reply> slot;
  auto server = StartServer([&](Request, Reply reply) { slot.Put(std::move(reply)); });
  std::optional<Client> client = Connect(*server);
  ASSERT_TRUE(client->SendRaw("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  Reply reply = slot.Take();
  server.reset();
  reply.Send(Text("late"));
}

TEST(Server, HeadHasTheLengthAndNoBody) {
  auto server = StartServer(Echo);
  Client client = Connect(*server);
  const auto head = client.Call("HEAD", "/a");
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(head->Header("Content-Length"), "8");
  EXPECT_EQ(client.Call("GET", "/a")->body, "GET /a  ");
}

TEST(Server, NoBodyWithNoContent) {
  auto server = StartServer([](Request, Reply reply) {
    Response response;
    response.status = 204;
    response.body = "not sent";
    reply.Send(std::move(response));
  });
  Client client = Connect(*server);
  for (int i = 0; i < 2; ++i) {
    const auto response = client.Call("GET", "/");
    EXPECT_EQ(response->status, 204);
    EXPECT_FALSE(response->Header("Content-Length"));
  }
}

TEST(Server, TheHandlersHeadersCannotBreakTheFraming) {
  auto server = StartServer([](Request, Reply reply) {
    Response response = Text("ok");
    response.headers = {{"Content-Length", "99"}, {"connection", "upgrade"}, {"X-Thing", "a\r\nX-Injected: b"}};
    reply.Send(std::move(response));
  });
  const auto response = Connect(*server).Call("GET", "/");
  EXPECT_EQ(response->body, "ok");
  EXPECT_FALSE(response->Header("Connection"));
  EXPECT_FALSE(response->Header("X-Injected"));
  EXPECT_EQ(response->Header("X-Thing"), "a  X-Injected: b");
}

TEST(Server, Http10ClosesUnlessAsked) {
  auto server = StartServer(Echo);
  Client closing = Connect(*server);
  ASSERT_TRUE(closing.SendRaw("GET / HTTP/1.0\r\n\r\n").ok());
  EXPECT_EQ(closing.ReadResponse()->Header("Connection"), "close");
  EXPECT_TRUE(IsClosed(closing));
  Client keeping = Connect(*server);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(keeping.SendRaw("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").ok());
    EXPECT_EQ(keeping.ReadResponse()->Header("Connection"), "keep-alive");
  }
}

TEST(Server, ClosesWhenTheClientAsks) {
  auto server = StartServer(Echo);
  Client client = Connect(*server);
  ASSERT_TRUE(client.SendRaw("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ok());
  EXPECT_EQ(client.ReadResponse()->Header("Connection"), "close");
  EXPECT_TRUE(IsClosed(client));
}

TEST(Server, AHalfClosedClientGetsItsAnswer) {
  auto server = StartServer(Echo);
  Client client = Connect(*server);
  ASSERT_TRUE(client.SendRaw("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  client.ShutdownSend();
  EXPECT_EQ(client.ReadResponse()->status, 200);
  EXPECT_TRUE(IsClosed(client));
}

TEST(Server, SaysContinueWhenExpected) {
  auto server = StartServer(Echo);
  Client client = Connect(*server);
  ASSERT_TRUE(client
                  .SendRaw("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                           "Content-Length: 3\r\n\r\n")
                  .ok());
  EXPECT_EQ(client.ReadResponse()->status, 100);
  ASSERT_TRUE(client.SendRaw("abc").ok());
  EXPECT_EQ(client.ReadResponse()->body, "POST /  abc");
}

TEST(Server, DoesNotContinueWhatIsTooLarge) {
  auto server = StartServer(Echo);
  Client client = Connect(*server);
  ASSERT_TRUE(client
                  .SendRaw("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                           "Content-Length: 99999999\r\n\r\n")
                  .ok());
  EXPECT_EQ(client.ReadResponse()->status, 413);
}

// After a refusal nothing that follows on the connection may be executed: it may be a smuggled request.
TEST(Server, ARefusalIsTheLastAnswer) {
  auto server = StartServer(Echo);
  const std::string second = "GET /second HTTP/1.1\r\nHost: a\r\n\r\n";
  const struct {
    int status;
    std::string bytes;
  } cases[] = {
      {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"},
      {400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"},
      {400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"},
      {400, "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\n\r\n"},
      {505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
      {414, "GET /" + std::string(9000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n"},
      {431, "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(17'000, 'x') + "\r\n\r\n"},
      {413, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4194305\r\n\r\n"},
      {417, "GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n"},
  };
  for (const auto& c : cases) {
    Client client = Connect(*server);
    ASSERT_TRUE(client.SendRaw(c.bytes + second).ok());
    const auto response = client.ReadResponse();
    ASSERT_TRUE(response.ok()) << c.bytes << response.error().message;
    EXPECT_EQ(response->status, c.status) << c.bytes;
    EXPECT_EQ(response->Header("Connection"), "close");
    EXPECT_EQ(response->Header("Content-Type"), "application/problem+json; charset=utf-8");
    EXPECT_TRUE(IsClosed(client)) << c.bytes;
  }
  EXPECT_EQ(server->stats().requests, 0u);
}

TEST(Server, ABodyTooLargeIsReadAwaySoThatTheAnswerArrives) {
  HttpLimits limits;
  limits.body_bytes = 1000;
  auto server = StartServer(Echo, limits);
  for (const int off : {-1, 0, 1}) {
    const auto response = Connect(*server).Call("POST", "/", {}, std::string(static_cast<size_t>(1000 + off), 'x'));
    ASSERT_TRUE(response.ok()) << response.error().message;
    EXPECT_EQ(response->status, off > 0 ? 413 : 200);
  }
  const auto response = Connect(*server).Call("POST", "/", {}, std::string(8'000'000, 'x'));
  ASSERT_TRUE(response.ok()) << response.error().message;
  EXPECT_EQ(response->status, 413);
  EXPECT_NE(response->body.find("\"limit\":1000"), std::string::npos) << response->body;
  EXPECT_NE(response->body.find("\"code\":\"body_too_large\""), std::string::npos);
}

TEST(Server, SlowClientsAreCutOff) {
  HttpLimits limits;
  limits.head_deadline_ms = 20;
  limits.body_grace_ms = 20;
  limits.idle_ms = 20;
  auto server = StartServer(Echo, limits);
  Client head = Connect(*server);
  Client body = Connect(*server);
  Client idle = Connect(*server);
  ASSERT_TRUE(head.SendRaw("GET / HTTP/1.1\r\nHost:").ok());
  ASSERT_TRUE(body.SendRaw("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na").ok());
  EXPECT_EQ(head.ReadResponse()->status, 408);
  EXPECT_EQ(body.ReadResponse()->status, 408);
  EXPECT_TRUE(IsClosed(idle));
  EXPECT_GE(server->stats().timed_out, 3u);
}

TEST(Server, AClientThatTakesNoAnswerIsCutOff) {
  HttpLimits limits;
  limits.write_stall_ms = 20;
  auto server = StartServer([](Request, Reply reply) { reply.Send(Text(std::string(64'000'000, 'x'))); }, limits);
  Client client = Connect(*server);
  ASSERT_TRUE(client.SendRaw("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  while (server->stats().timed_out == 0) std::this_thread::yield();
  EXPECT_FALSE(client.ReadResponse().ok());
}

TEST(Server, StreamsPieceByPiece) {
  Slot<StreamWriter> slot;
  auto server = StartServer([&](Request request, Reply reply) {
    if (request.path() != "/stream") return Echo(std::move(request), std::move(reply));
    Response head = Text("first");
    head.headers = {{"Cache-Control", "no-store"}};
    slot.Put(reply.Stream(std::move(head)));
  });
  Client client = Connect(*server);
  ASSERT_TRUE(client.SendRaw("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  StreamWriter writer = slot.Take();
  const auto head = client.ReadHead();
  EXPECT_EQ(head->Header("Transfer-Encoding"), "chunked");
  EXPECT_EQ(head->Header("Cache-Control"), "no-store");
  EXPECT_EQ(*client.ReadChunk(), "first");
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(writer.Write("data: " + std::to_string(i)));
    EXPECT_EQ(*client.ReadChunk(), "data: " + std::to_string(i));
  }
  EXPECT_TRUE(writer.Write(""));
  writer.Close();
  EXPECT_FALSE(writer.Write("x"));
  EXPECT_EQ(*client.ReadChunk(), "");
  EXPECT_EQ(client.Call("GET", "/after")->body, "GET /after  ");  // the connection stays open
}

TEST(Server, RequestsBehindAStreamWaitForItsEnd) {
  Slot<StreamWriter> slot;
  auto server = StartServer([&](Request request, Reply reply) {
    if (request.path() != "/stream") return Echo(std::move(request), std::move(reply));
    slot.Put(reply.Stream(Text("")));
  });
  Client client = Connect(*server);
  ASSERT_TRUE(client.SendRaw("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  StreamWriter writer = slot.Take();
  EXPECT_EQ(client.ReadHead()->status, 200);
  ASSERT_TRUE(client.SendRaw("GET /after HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  writer.Write("x");
  EXPECT_EQ(*client.ReadChunk(), "x");
  writer.Close();
  EXPECT_EQ(*client.ReadChunk(), "");
  EXPECT_EQ(client.ReadResponse()->body, "GET /after  ");
}

TEST(Server, AStreamForHttp10EndsWithTheConnection) {
  auto server = StartServer([](Request, Reply reply) {
    StreamWriter writer = reply.Stream(Text("a"));
    writer.Write("b");
  });
  Client client = Connect(*server);
  ASSERT_TRUE(client.SendRaw("GET / HTTP/1.0\r\n\r\n").ok());
  const auto response = client.ReadResponse();
  EXPECT_FALSE(response->Header("Transfer-Encoding"));
  EXPECT_EQ(response->body, "ab");
}

TEST(Server, AWriterLearnsThatTheClientIsGone) {
  Slot<StreamWriter> slot;
  auto server = StartServer([&](Request, Reply reply) { slot.Put(reply.Stream(Text("x"))); });
  std::optional<Client> client = Connect(*server);
  ASSERT_TRUE(client->SendRaw("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  StreamWriter writer = slot.Take();
  client.reset();
  while (writer.open()) std::this_thread::yield();
  EXPECT_FALSE(writer.Write("y"));
}

TEST(Server, AClientThatReadsTooSlowlyLosesItsStream) {
  Slot<StreamWriter> slot;
  HttpLimits limits;
  limits.stream_buffer_bytes = 100'000;
  auto server = StartServer([&](Request, Reply reply) { slot.Put(reply.Stream(Text("x"))); }, limits);
  Client client = Connect(*server);
  ASSERT_TRUE(client.SendRaw("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  StreamWriter writer = slot.Take();
  const std::string chunk(10'000, 'x');
  while (writer.Write(chunk)) {}
  while (server->stats().streams_cut == 0) std::this_thread::yield();
  for (auto bytes = client.ReadSome(); bytes.ok() && !bytes->empty();) bytes = client.ReadSome();
}

TEST(Server, AClientThatTakesNothingLosesItsStream) {
  Slot<StreamWriter> slot;
  HttpLimits limits;
  limits.stream_buffer_bytes = 1 << 30;
  limits.write_stall_ms = 50;
  auto server = StartServer([&](Request, Reply reply) { slot.Put(reply.Stream(Text("x"))); }, limits);
  Client client = Connect(*server);
  ASSERT_TRUE(client.SendRaw("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  StreamWriter writer = slot.Take();
  EXPECT_FALSE(writer.cut());
  const std::string chunk(100'000, 'x');
  // Acts as a producer that waits for its client: nothing is queued, and eventually the kernel takes no more.
  while (writer.open()) {
    if (writer.waiting_bytes() < 1'000'000) writer.Write(chunk);
    std::this_thread::yield();
  }
  EXPECT_TRUE(writer.cut());
  EXPECT_FALSE(writer.Write(chunk));
  EXPECT_EQ(server->stats().streams_cut, 1u);
}

TEST(Server, DrainLetsRequestsFinish) {
  Slot<Reply> slot;
  auto server = StartServer([&](Request, Reply reply) { slot.Put(std::move(reply)); }, {}, 2);
  Client idle = Connect(*server);
  Client busy = Connect(*server);
  ASSERT_TRUE(busy.SendRaw("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  Reply reply = slot.Take();
  bool complete = false;
  std::thread drain([&] { complete = server->Drain(60'000); });
  EXPECT_TRUE(IsClosed(idle));  // so draining has begun
  EXPECT_FALSE(Client::Connect("127.0.0.1", server->port()).ok());
  reply.Send(Text("done"));
  const auto response = busy.ReadResponse();
  EXPECT_EQ(response->body, "done");
  EXPECT_EQ(response->Header("Connection"), "close");
  busy.Close();
  drain.join();
  EXPECT_TRUE(complete);
  EXPECT_EQ(server->stats().connections_open, 0);
  EXPECT_EQ(server->stats().requests, 1u);
}

TEST(Server, DrainEndsStreams) {
  Slot<StreamWriter> slot;
  auto server = StartServer([&](Request, Reply reply) { slot.Put(reply.Stream(Text("x"))); });
  Client client = Connect(*server);
  ASSERT_TRUE(client.SendRaw("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  StreamWriter writer = slot.Take();
  EXPECT_EQ(client.ReadHead()->status, 200);
  EXPECT_EQ(*client.ReadChunk(), "x");
  std::thread drain([&] { EXPECT_TRUE(server->Drain(60'000)); });
  EXPECT_EQ(*client.ReadChunk(), "");
  EXPECT_TRUE(IsClosed(client));
  client.Close();
  drain.join();
  EXPECT_FALSE(writer.Write("y"));
}

TEST(Server, DrainGivesUpAtItsDeadline) {
  Slot<Reply> slot;
  auto server = StartServer([&](Request, Reply reply) { slot.Put(std::move(reply)); });
  Client client = Connect(*server);
  ASSERT_TRUE(client.SendRaw("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  Reply reply = slot.Take();
  EXPECT_FALSE(server->Drain(1));
  EXPECT_FALSE(client.ReadResponse().ok());
  reply.Send(Text("late"));
}

TEST(Server, APortThatIsTakenIsAConflict) {
  auto server = StartServer(Echo);
  ServerOptions options;
  options.port = server->port();
  const auto second = Server::Start(options, Echo);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  EXPECT_NE(second.error().message.find("127.0.0.1:" + std::to_string(options.port)), std::string::npos);
}

TEST(Server, ThePortIsFreeAfterIt) {
  auto server = StartServer(Echo);
  ServerOptions options;
  options.port = server->port();
  EXPECT_EQ(Connect(*server).Call("GET", "/")->status, 200);
  server.reset();
  EXPECT_TRUE(Server::Start(options, Echo).ok());
}

TEST(Server, AnUnknownHostIsInvalid) {
  ServerOptions options;
  options.host = "256.1.1.1";
  const auto server = Server::Start(options, Echo);
  ASSERT_FALSE(server.ok());
  EXPECT_EQ(server.error().code, ErrorCode::kInvalid);
}

TEST(Server, WithoutDescriptorsConnectionsWait) {
  auto server = StartServer(Echo);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = ::dup(0);  // the lowest free descriptor
  ASSERT_GE(next, 0);
  ::close(next);
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(next) + 1;  // one is left, and the client takes it
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  Client client = Connect(*server);
  while (server->stats().accept_failures == 0) std::this_thread::yield();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(client.Call("GET", "/")->status, 200);
}

TEST(Server, TheConnectionsAboveTheLimitWaitTheirTurn) {
  HttpLimits limits;
  limits.max_connections = 2;
  auto server = StartServer(Echo, limits, 2);
  std::optional<Client> first = Connect(*server);
  Client second = Connect(*server);
  EXPECT_EQ(first->Call("GET", "/")->status, 200);
  EXPECT_EQ(second.Call("GET", "/")->status, 200);
  Client third = Connect(*server);  // in the kernel's backlog
  ASSERT_TRUE(third.SendRaw("GET /third HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  EXPECT_EQ(second.Call("GET", "/")->status, 200);
  EXPECT_EQ(server->stats().connections_accepted, 2u);
  first.reset();
  EXPECT_EQ(third.ReadResponse()->body, "GET /third  ");
}

}  // namespace
}  // namespace attune

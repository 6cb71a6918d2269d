// One client's connection: reads requests, calls the handler for one at a time, writes the answers.
// Internal to this module; used on its loop's thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "http/asio.h"
#include "http/limits.h"
#include "http/mailbox.h"
#include "http/message.h"
#include "http/network_cap.h"
#include "http/request_parser.h"

namespace attune::http {

// Typed on the loop's own executor: the type-erased one allocates on some paths.
using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

class Loop;

// The remote address, without the port; empty when the client is gone.
std::string PeerAddress(const Socket& socket);

class Connection {
 public:
  Connection(Loop& loop, uint64_t id, Socket socket, NetworkCap::Place place);
  ~Connection();

  void Start();
  // An answer, or a piece of one, from the mailbox.
  void Receive(Delivery delivery);
  // Closes the connection of a client that is too slow. Called a few times per shortest deadline.
  void Sweep(int64_t now_ms);
  // Closes the connection if no request has begun to arrive; otherwise the current answer is the
  // last.
  void BeginDrain();

 private:
  enum class State {
    kReceiving,  // waits for a request or the rest of one
    kHandling,   // waits for the handler's answer
    kWriting,    // the answer is being written
    kStreaming,  // the handler writes the answer piece by piece
    kLingering,  // nothing more is sent; the client may still read what was sent
    kClosed,
  };
  enum class Phase { kIdle, kHead, kBody };  // of kReceiving

  void Run();
  void NotePhase();
  void Dispatch();
  void Deliver(Delivery delivery);
  void Answer(Response response);
  // Called before the answer's head is written.
  void NoteAnswer(Response* response, bool streamed);
  void Refuse(Response problem);
  void SendContinue();

  void BeginStream(Delivery delivery);
  void AppendToStream(const Delivery& delivery);
  void EndStream();

  void Read();
  bool MakeRoom();
  void OnRead(const boost::system::error_code& error, size_t size);
  void OnLingerBytes();

  void Flush();
  size_t WriteSome(boost::system::error_code* error);
  void WaitWritable();
  void OnFlushed();
  void FinishAnswer();

  bool TooSlow(int64_t now_ms) const;
  bool BodyTooSlow(int64_t elapsed_ms) const;
  bool HasUnreadBytes();
  void BeginLinger();
  void Close();
  // Ends an operation; true if the connection is still in use.
  bool OperationEnded();

  Loop& loop_;
  const HttpLimits& limits_;
  const uint64_t id_;
  Socket socket_;
  const NetworkCap::Place place_;
  std::string peer_;
  RequestParser parser_;
  State state_ = State::kReceiving;
  Phase phase_ = Phase::kIdle;
  int64_t since_ms_ = 0;  // when the state or phase began, or when the last byte was written

  // Bytes [begin_, end_) have been read but not consumed.
  std::unique_ptr<char[]> buffer_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;

  // The first sent_ bytes of out_ and body_ together have been written.
  std::string out_;
  std::string body_;
  size_t sent_ = 0;

  // For the request being answered.
  std::string request_id_;
  std::string method_;        // this and the next two are set only when answers go to the journal
  std::string_view route_;
  std::chrono::steady_clock::time_point asked_;
  bool keep_alive_ = true;
  bool http11_ = true;
  bool head_only_ = false;
  std::shared_ptr<StreamState> stream_;
  bool stream_ended_ = false;

  bool reading_ = false;
  bool waiting_writable_ = false;
  bool peer_ended_ = false;  // the client closed its half while an answer was being made
  int operations_ = 0;       // outstanding operations; the connection must not be destroyed before they end
  size_t lingered_bytes_ = 0;
};

}  // namespace attune::http

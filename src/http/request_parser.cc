#include "http/request_parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <cstring>
#include <functional>
#include <optional>
#include <utility>

#include "http/problem.h"

namespace attune {
namespace {

namespace beast_http = boost::beast::http;
using boost::beast::error_code;

// A body's buffer grows as it arrives: a client that announces 4 MiB and sends nothing costs this
// much.
constexpr uint64_t kFirstBodyReserve = 64 * 1024;

std::string_view ToStd(boost::beast::string_view s) { return {s.data(), s.size()}; }

Response Malformed(std::string_view detail) {
  return Problem(Code::kMalformedRequest, detail);
}

Response TooLarge(Code code, size_t limit) {
  return Problem(code, "", {{"limit", static_cast<int64_t>(limit)}});
}

bool AllDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Whether the request line ends in a well-formed but unsupported version.
bool NamesOtherVersion(std::string_view bytes) {
  const std::string_view line = bytes.substr(0, bytes.find_first_of("\r\n"));
  const size_t at = line.rfind(" HTTP/");
  if (at == std::string_view::npos) return false;
  const std::string_view version = line.substr(at + 6);
  if (version == "1.0" || version == "1.1") return false;  // the line has another error
  return version.size() == 3 && AllDigits(version.substr(0, 1)) && version[1] == '.' && AllDigits(version.substr(2));
}

// Accepts what a Host field may contain: no blanks, commas, paths or user names, which proxies
// interpret in different ways.
bool IsPlausibleHost(std::string_view host) { return host.find_first_of(" \t,/\\@?#") == std::string_view::npos; }

using Progress = RequestParser::Progress;

// One message. Beast's parser cannot be reset, so the owner makes a new one for each.
class Message final : public beast_http::basic_parser<true> {
 public:
  explicit Message(const HttpLimits& limits) : limits_(limits) {
    eager(false);
    body_limit(limits.body_bytes);
    // Beast applies its limit to the buffered bytes, not to the whole head, so the head is counted
    // here instead.
    header_limit(static_cast<uint32_t>(2 * limits.head_bytes));
  }

  Progress Feed(std::string_view bytes, size_t* used) {
    *used = SkipLeadingLineBreak(bytes);
    while (*used < bytes.size() && !is_done()) {
      const std::string_view rest = bytes.substr(*used);
      error_code ec;
      const size_t n = Put(rest, ec);
      *used += n;
      if (ec == beast_http::error::need_more) {
        return CheckBacklog(rest.substr(n)) ? Progress::kNeedMore : Progress::kFailed;
      }
      if (ec) return Fail(ec, rest);
    }
    return is_done() ? Progress::kDone : Progress::kNeedMore;
  }

  bool started() const { return started_; }
  bool in_body() const { return is_header_done(); }
  uint64_t body_bytes_received() const { return request_.body.size(); }
  bool TakeExpectation() { return std::exchange(expects_continue_, false); }
  bool keep_alive_wanted() const { return is_header_done() && keep_alive(); }
  bool http11() const { return http11_; }
  Request TakeRequest() { return std::move(request_); }
  const Response& failure() const { return *failure_; }

 private:
  size_t SkipLeadingLineBreak(std::string_view bytes) {
    if (started_ || skipped_line_break_ || !bytes.starts_with("\r\n")) return 0;
    skipped_line_break_ = true;  // RFC 9112, 2.2: one is ignored
    return 2;
  }

  // One step of Beast's parser.
  size_t Put(std::string_view bytes, error_code& ec) {
    const bool in_head = !is_header_done();
    if (in_head && !started_ && bytes == "\r") {  // may become the ignored line break
      ec = beast_http::error::need_more;
      return 0;
    }
    // Beast asserts when it gets only one more byte after these, if the first chunk is the last one. (Without more
    // input it does not know anyway whether trailers follow.)
    if (!in_head && chunked() && bytes == "0\r\n") {
      ec = beast_http::error::need_more;
      return 0;
    }
    started_ = true;
    window_ = bytes;
    const size_t n = put(boost::asio::const_buffer(bytes.data(), bytes.size()), ec);
    if (in_head) head_bytes_ += n;
    if (in_head && is_header_done() && head_bytes_ > limits_.head_bytes && !failure_) {
      failure_ = HeadTooLarge();
      ec = beast_http::error::header_limit;
    }
    return n;
  }

  // `left` cannot be consumed before more bytes arrive. False: it is too large already.
  bool CheckBacklog(std::string_view left) {
    if (!is_header_done()) {
      // The head is incomplete, so it has at least one more byte.
      if (head_bytes_ + left.size() < limits_.head_bytes) return true;
      const bool in_request_line = !got_request_line_ && left.find('\r') == left.npos;
      failure_ = in_request_line ? TargetTooLong() : HeadTooLarge();
    } else if (left.size() > limits_.chunk_extension_bytes + limits_.head_bytes) {
      failure_ = Malformed("a chunk's header or the trailers do not end");
    }
    return !failure_;
  }

  Response HeadTooLarge() const {
    return TooLarge(Code::kHeadTooLarge, limits_.head_bytes);
  }
  Response TargetTooLong() const {
    return TooLarge(Code::kTargetTooLong, limits_.target_bytes);
  }

  Progress Fail(error_code ec, std::string_view rest) {
    if (failure_) return Progress::kFailed;
    if (ec == beast_http::error::body_limit) {
      failure_ = TooLarge(Code::kBodyTooLarge, limits_.body_bytes);
    } else if (ec == beast_http::error::header_limit) {
      failure_ = HeadTooLarge();
    } else if (ec == beast_http::error::bad_version && NamesOtherVersion(rest)) {
      failure_ = Problem(Code::kVersionNotSupported, "");
    } else {
      failure_ = Malformed(ec.message());
    }
    return Progress::kFailed;
  }

  // Stops the parser with a failure of this class.
  void Refuse(Response failure, error_code& ec) {
    failure_ = std::move(failure);
    ec = beast_http::error::bad_field;
  }

  void on_request_impl(beast_http::verb, boost::beast::string_view method, boost::beast::string_view target,
                       int version, error_code& ec) override {
    got_request_line_ = true;
    http11_ = version == 11;
    if (target.size() > limits_.target_bytes) return Refuse(TargetTooLong(), ec);
    std::string_view path = ToStd(target);
    if (path.find('#') != path.npos) return Refuse(Malformed("a fragment in the target"), ec);
    if (path.front() != '/' && !(path == "*" && ToStd(method) == "OPTIONS")) {
      if (!SplitAbsoluteForm(&path)) return Refuse(Malformed("the target is not a path"), ec);
    }
    request_ = Request(ToStd(method), path);
  }

  // `http://host/path` keeps the path; the host must equal the Host field.
  bool SplitAbsoluteForm(std::string_view* target) {
    constexpr std::string_view kScheme = "http://";
    if (!EqualIgnoringCase(target->substr(0, kScheme.size()), kScheme)) return false;
    target->remove_prefix(kScheme.size());
    const size_t end = std::min(target->find_first_of("/?"), target->size());
    authority_ = std::string(target->substr(0, end));
    target->remove_prefix(end);
    if (target->empty()) *target = "/";
    return target->front() == '/' && !authority_->empty();
  }

  void on_field_impl(beast_http::field field, boost::beast::string_view name_view, boost::beast::string_view value_view,
                     error_code& ec) override {
    const std::string_view name = ToStd(name_view);
    const std::string_view value = ToStd(value_view);
    if (IsFolded(name, value)) return Refuse(Malformed("a folded field"), ec);
    if (++fields_ > limits_.head_fields) {
      return Refuse(TooLarge(Code::kTooManyFields, limits_.head_fields),
                    ec);
    }
    if (is_header_done()) return;  // trailers are parsed and ignored
    if (const char* why = CheckFraming(field, value)) return Refuse(Malformed(why), ec);
    request_.AddHeader(name, value);
  }

  // Beast joins folded lines in its own buffer, or skips line breaks before the value.
  bool IsFolded(std::string_view name, std::string_view value) const {
    const std::less_equal<const char*> before;
    const char* const window_end = window_.data() + window_.size();
    const char* const name_end = name.data() + name.size();
    if (!before(name_end, value.data()) || !before(value.data() + value.size(), window_end)) return true;
    return std::memchr(name_end, '\r', static_cast<size_t>(value.data() - name_end)) != nullptr;
  }

  // Refuses fields that Beast accepts although they leave the length of the body ambiguous. Null:
  // no error.
  const char* CheckFraming(beast_http::field field, std::string_view value) {
    switch (field) {
      case beast_http::field::content_length:
        if (std::exchange(has_length_, true)) return "two Content-Length fields";
        return AllDigits(value) ? nullptr : "Content-Length is not a number";
      case beast_http::field::transfer_encoding:
        if (!EqualIgnoringCase(value, "chunked")) return "a Transfer-Encoding other than chunked";
        return http11_ ? nullptr : "Transfer-Encoding in HTTP/1.0";
      case beast_http::field::host:
        if (std::exchange(has_host_, true)) return "two Host fields";
        return IsPlausibleHost(value) ? nullptr : "Host is not a host";
      default: return nullptr;
    }
  }

  void on_header_impl(error_code& ec) override {
    if (http11_ && !has_host_) return Refuse(Malformed("no Host field"), ec);
    if (authority_ && !EqualIgnoringCase(*authority_, request_.Header("Host").value_or(*authority_))) {
      return Refuse(Malformed("the target names another host than the Host field"), ec);
    }
    const auto expect = request_.Header("Expect");
    if (!expect || !http11_) return;
    if (!EqualIgnoringCase(*expect, "100-continue")) {
      return Refuse(Problem(Code::kExpectationFailed, *expect), ec);
    }
    expects_continue_ = !is_done();
  }

  void on_body_init_impl(const boost::optional<uint64_t>& length, error_code&) override {
    const uint64_t known = length ? std::min(*length, kFirstBodyReserve) : 0;
    request_.body.reserve(known + Request::kBodyPadding);
  }

  size_t on_body_impl(boost::beast::string_view bytes, error_code&) override {
    AppendBody(ToStd(bytes));
    return bytes.size();
  }

  void on_chunk_header_impl(uint64_t, boost::beast::string_view extensions, error_code& ec) override {
    extension_bytes_ += extensions.size();
    if (extension_bytes_ <= limits_.chunk_extension_bytes) return;
    Refuse(TooLarge(Code::kChunkExtensionsTooLarge,
                    limits_.chunk_extension_bytes),
           ec);
  }

  size_t on_chunk_body_impl(uint64_t, boost::beast::string_view bytes, error_code&) override {
    AppendBody(ToStd(bytes));
    return bytes.size();
  }

  void AppendBody(std::string_view bytes) {
    std::string& body = request_.body;
    const size_t needed = body.size() + bytes.size() + Request::kBodyPadding;
    if (body.capacity() < needed) body.reserve(std::max(needed, 2 * body.capacity()));
    body.append(bytes);
  }

  void on_finish_impl(error_code&) override {}
  void on_response_impl(int, boost::beast::string_view, int, error_code&) override {}

  const HttpLimits& limits_;
  Request request_;
  std::optional<Response> failure_;
  std::optional<std::string> authority_;
  std::string_view window_;  // the input of the current call of put()
  size_t head_bytes_ = 0;
  size_t fields_ = 0;
  size_t extension_bytes_ = 0;
  bool started_ = false;
  bool skipped_line_break_ = false;
  bool got_request_line_ = false;
  bool http11_ = false;
  bool has_length_ = false;
  bool has_host_ = false;
  bool expects_continue_ = false;
};

}  // namespace

// Holds the current message in place, so that a new one needs no allocation.
struct RequestParser::Impl {
  explicit Impl(const HttpLimits& l) : limits(l) { message.emplace(limits); }
  const HttpLimits& limits;
  std::optional<Message> message;
  bool keep_alive = false;
  bool http11 = true;
};

RequestParser::RequestParser(const HttpLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;

RequestParser::Progress RequestParser::Feed(std::string_view bytes, size_t* used) {
  return impl_->message->Feed(bytes, used);
}

bool RequestParser::started() const { return impl_->message->started(); }
bool RequestParser::in_body() const { return impl_->message->in_body(); }
uint64_t RequestParser::body_bytes_received() const { return impl_->message->body_bytes_received(); }
bool RequestParser::TakeExpectation() { return impl_->message->TakeExpectation(); }
const Response& RequestParser::failure() const { return impl_->message->failure(); }
bool RequestParser::keep_alive() const { return impl_->keep_alive; }
bool RequestParser::http11() const { return impl_->http11; }

Request RequestParser::TakeRequest() {
  Message& message = *impl_->message;
  impl_->keep_alive = message.keep_alive_wanted();
  impl_->http11 = message.http11();
  Request request = message.TakeRequest();
  impl_->message.emplace(impl_->limits);
  return request;
}

}  // namespace attune

// The decoding of a request's body: for any bytes, the result respects the limits. The first byte makes the limits
// small, so that inputs reach them.
#include "base/check.h"
#include "ingest/body_encoding.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace attune;
  if (size == 0) return 0;
  IngestLimits limits;
  limits.body_bytes = size_t{1024} << (data[0] % 12);
  limits.expansion = 2 + data[0] / 16;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  static std::string buffer;
  std::string_view text;
  const auto refusal = DecodeBody(body, limits, &buffer, &text);
  if (refusal) {
    ATTUNE_CHECK(!refusal->detail.empty(), "a refusal says why");
    return 0;
  }
  ATTUNE_CHECK(text.size() <= limits.body_bytes, "what is taken keeps the limit");
  ATTUNE_CHECK(text.size() <= (64 << 10) + body.size() * limits.expansion, "and does not grow beyond measure");
  return 0;
}

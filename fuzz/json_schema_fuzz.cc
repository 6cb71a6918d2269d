// A JSON Schema and a value, separated by a zero byte: every schema compiles or is refused by name, and every check
// terminates.
#include "base/check.h"
#include "event/json_schema.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace attune;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t end = text.find('\0');
  const auto schema = JsonSchema::Compile(text.substr(0, end));
  if (!schema.ok()) {
    ATTUNE_CHECK(!schema.error().message.empty(), "a refusal says why");
    return 0;
  }
  if (end == std::string_view::npos) return 0;
  JsonSchema::Mismatch mismatch;
  const auto holds = (*schema)->Check(text.substr(end + 1), &mismatch);
  if (!holds.ok() || *holds) return 0;
  ATTUNE_CHECK(mismatch.pointer.empty() || mismatch.pointer[0] == '/', "a mismatch has a place");
  return 0;
}

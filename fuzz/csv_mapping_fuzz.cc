// A mapping and a file for it, separated by a zero byte.
#include "base/check.h"
#include "event/json_text.h"
#include "history/history_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace attune;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t end = text.find('\0');
  const LoadedMapping loaded = ParseCsvMapping(text.substr(0, end));
  ATTUNE_CHECK((loaded.mapping != nullptr) == loaded.problems.empty(), "a mapping or what is wrong with it");
  if (loaded.mapping == nullptr || end == std::string_view::npos) return 0;
  auto reader = HistoryReader::OfText(text.substr(end + 1), "f", loaded.mapping.get());
  if (!reader.ok()) return 0;
  HistoryEvent event;
  while ((*reader)->Next(&event)) {
    const std::string json = event.dead ? ToNdjson(*event.dead) : std::string(event.json);
    ATTUNE_CHECK(!FindJsonFault(json, size + 64), "what comes out is JSON");
  }
  return 0;
}

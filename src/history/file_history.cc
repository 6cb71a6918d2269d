#include "history/file_history.h"

#include <algorithm>
#include <filesystem>

namespace attune {

FileHistory::FileHistory(std::vector<std::string> paths, const Plan& plan, const CsvMapping* mapping)
    : paths_(std::move(paths)), admission_(plan), mapping_(mapping) {
  std::error_code error;
  for (const std::string& path : paths_) {
    const auto size = std::filesystem::file_size(path, error);
    if (!error) size_ += size;
  }
}

Status FileHistory::ForEach(const std::function<bool(const HistoryRecord&)>& fn) {
  accepted_ = refused_ = 0;
  uint64_t before = 0;
  std::string encoded;
  HistoryEvent event;
  for (const std::string& path : paths_) {
    auto opened = HistoryReader::Open(path, mapping_);
    if (!opened.ok()) return opened.error();
    HistoryReader& reader = **opened;
    while (reader.Next(&event)) {
      read_.store(before + reader.bytes_read(), std::memory_order_relaxed);
      Origin origin;
      origin.source = event.source;
      origin.history = true;
      origin.file = true;
      const Admission admission = event.dead ? Admission{event.dead, {}, {}, false} : admission_.Admit(event.json, origin);
      ++(admission.ok() ? accepted_ : refused_);
      if (!admission.ok()) continue;
      encoded.clear();
      EncodeEvent(admission.head, admission.json, &encoded);
      if (!fn({encoded, {}, 0})) return {};
    }
    if (!reader.status().ok()) return Error{reader.status().error().code, path + ": " + reader.status().error().message};
    before += reader.total();
  }
  return {};
}

Status ShownHistory::ForEach(const std::function<bool(const HistoryRecord&)>& fn) {
  Progress progress(what_[std::min(reading_++, what_.size() - 1)]);
  uint64_t events = 0;
  return history_.ForEach([&](const HistoryRecord& record) {
    if ((++events & 0xFFF) == 0) progress.Show(history_.read(), history_.size(), std::to_string(events) + " records");
    return fn(record);
  });
}

}  // namespace attune

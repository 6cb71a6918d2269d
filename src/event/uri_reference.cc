#include "event/uri_reference.h"

#include <vector>

namespace attune {
namespace {

// The length of `scheme:` at the front; 0 when there is none.
size_t SchemeLength(std::string_view uri) {
  for (size_t i = 0; i < uri.size(); ++i) {
    const char c = uri[i];
    const char lower = static_cast<char>(c | 0x20);
    if (lower >= 'a' && lower <= 'z') continue;
    if (i > 0 && c == ':') return i + 1;
    if (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')) return 0;
  }
  return 0;
}

// The length of `scheme:` and `//authority`.
size_t RootLength(std::string_view uri) {
  const size_t scheme = SchemeLength(uri);
  if (uri.substr(scheme, 2) != "//") return scheme;
  const size_t end = uri.find_first_of("/?#", scheme + 2);
  return end == std::string_view::npos ? uri.size() : end;
}

std::string WithoutDots(std::string_view path) {
  std::vector<std::string_view> kept;
  bool folder = false;
  for (size_t at = 0; at < path.size();) {
    const size_t slash = path.find('/', at + 1);
    const std::string_view part = path.substr(at, slash == std::string_view::npos ? slash : slash - at);
    folder = part == "/." || part == "/..";
    if (part == "/..") {
      if (!kept.empty()) kept.pop_back();
    } else if (part != "/.") {
      kept.push_back(part);
    }
    at += part.size();
  }
  std::string out;
  for (const std::string_view part : kept) out += part;
  if (folder) out += '/';
  return out;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

std::string ResolveUri(std::string_view base, std::string_view reference) {
  if (SchemeLength(reference) > 0) return std::string(reference);
  base = base.substr(0, base.find('#'));
  if (reference.empty()) return std::string(base);
  if (reference[0] == '#') return std::string(base) + std::string(reference);
  if (reference.substr(0, 2) == "//") return std::string(base.substr(0, SchemeLength(base))) + std::string(reference);
  base = base.substr(0, base.find('?'));
  if (reference[0] == '?') return std::string(base) + std::string(reference);
  const size_t root = RootLength(base);
  const size_t path_end = reference.find_first_of("?#");
  const std::string_view path = reference.substr(0, path_end);
  const std::string_view rest = path_end == std::string_view::npos ? "" : reference.substr(path_end);
  std::string merged;
  if (path[0] != '/') {
    const size_t slash = base.rfind('/');
    if (slash != std::string_view::npos && slash >= root) {
      merged = base.substr(root, slash - root + 1);
    } else if (root > SchemeLength(base)) {
      merged = "/";
    }
  }
  merged += path;
  return std::string(base.substr(0, root)) + WithoutDots(merged) + std::string(rest);
}

std::string PercentDecode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = high >= 0 ? HexDigit(text[i + 2]) : -1;
    if (low < 0) {
      out += text[i];
    } else {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

}  // namespace attune

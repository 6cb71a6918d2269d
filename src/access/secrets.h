// Secrets that the configuration names: the values come from environment variables or files, and each may be sent to
// the hosts that its entry lists and to no other.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace attune {

// Immutable once filled; any thread. A value is never printed, logged or put into a message.
class Secrets {
 public:
  // `hosts` are as CheckedHost returns them. A second secret with the same name replaces the first.
  void Add(std::string name, std::string value, std::vector<std::string> hosts);

  // The secret's value; null when there is no such secret. The pointer is valid as long as this object.
  const std::string* Find(std::string_view name) const;
  // Whether the secret exists and lists exactly this host, letter case apart. `host` has no port.
  bool MayGoTo(std::string_view name, std::string_view host) const;

  size_t size() const { return secrets_.size(); }

 private:
  struct Secret {
    std::string value;
    std::vector<std::string> hosts;
  };

  std::map<std::string, Secret, std::less<>> secrets_;
};

// A host as a secret lists it: a name or an IP address (IPv6 in brackets), in lower case. kInvalid: a wildcard, a URL,
// a port, or text that is no host; the message says what is expected.
Result<std::string> CheckedHost(std::string_view host);

// The longest file that a secret may come from, in bytes.
inline constexpr size_t kMaxSecretBytes = 64 << 10;

// The content of a file without one line end at its end. kIo: it cannot be read; kInvalid: it is empty or longer than
// kMaxSecretBytes. The message names the path.
Result<std::string> ReadSecretFile(const std::string& path);

}  // namespace attune

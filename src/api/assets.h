// Files that are served as they are: the page.
#pragma once

#include <string>
#include <vector>

#include "api/router.h"

namespace attune {

struct Asset {
  std::string path;
  std::string content_type;
  std::string body;
};

class AssetsResource {
 public:
  AssetsResource(RequestRouter* router, std::vector<Asset> assets);
};

}  // namespace attune

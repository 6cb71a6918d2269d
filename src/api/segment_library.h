// What Segment's client libraries request beside the collector: settings, and a place for their own metrics.
#pragma once

#include "api/router.h"

namespace attune {

class SegmentLibraryResource {
 public:
  explicit SegmentLibraryResource(RequestRouter* router);
};

}  // namespace attune

#include "demo/demo_files.h"

#include "base/embedded_file.h"

namespace attune {

ATTUNE_EMBED(DemoPlanYaml, "examples/demo/plan.yaml")
ATTUNE_EMBED(DemoProductsCsv, "examples/demo/products.csv")
ATTUNE_EMBED(DemoCodesCsv, "examples/demo/codes.csv")
ATTUNE_EMBED(DemoSessionsText, "examples/demo/sessions.txt")
ATTUNE_EMBED(DemoOttoText, "examples/demo/otto.txt")

}  // namespace attune

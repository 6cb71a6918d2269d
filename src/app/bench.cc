#include <CLI/CLI.hpp>

#include "app/command.h"

namespace attune {

void BenchOptions(CLI::App*) {}
int RunBench() { return Complain("not built yet", kExitFailed); }

}  // namespace attune

// attune-simulate: lives of a runtime from seeds, see simulation.h.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "base/progress.h"
#include "simulator/simulation.h"

namespace attune {
namespace {

// As `attune` has them.
constexpr int kExitDone = 0;
constexpr int kExitFailed = 1;
constexpr int kExitInvalid = 2;

struct SimulateSettings {
  uint64_t seed = 1;
  uint64_t seeds = 1;
  bool trace = false;
  bool lying_disk = false;
} settings;

void AddOptions(CLI::App* app) {
  app->add_option("--seed", settings.seed, "of the first life")->capture_default_str();
  app->add_option("--seeds", settings.seeds, "how many lives, each with the next seed")->check(CLI::Range(1, 1'000'000'000))->capture_default_str();
  app->add_flag("--trace", settings.trace, "print what happens");
  app->add_flag("--lying-disk", settings.lying_disk, "the disk forgets what it was told to sync: what must be noticed");
}

int Run() {
  SimulationReport sum;
  uint64_t given_up = 0;
  Progress progress("simulating");
  for (uint64_t i = 0; i < settings.seeds; ++i) {
    SimulationOptions options;
    options.seed = settings.seed + i;
    options.lying_disk = settings.lying_disk;
    if (settings.trace) options.trace = [](const std::string& what) { fmt::print("{}\n", what); };
    const SimulationReport report = Simulate(options);
    if (!report.failure.empty()) {
      progress.Clear();
      fmt::print("{}\n", report.failure);
      fmt::print(stderr, "attune-simulate: a promise was broken; again, with what led to it: attune-simulate --seed {} --trace{}\n",
                 options.seed, settings.lying_disk ? " --lying-disk" : "");
      return kExitFailed;
    }
    sum.steps += report.steps;
    sum.records += report.records;
    sum.effects += report.effects;
    sum.starts += report.starts;
    sum.kills += report.kills;
    sum.power_cuts += report.power_cuts;
    sum.sent_again += report.sent_again;
    sum.refused += report.refused;
    given_up += report.gave_up;
    progress.Show(i + 1, settings.seeds, fmt::format("{} of {} lives", i + 1, settings.seeds));
  }
  progress.Clear();
  fmt::print(
      "{} lives: {} steps, {} starts, {} kills, {} power cuts, {} requests refused by a full or failed disk, {} records sent again; "
      "{} records and {} effects are what they must be{}\n",
      settings.seeds, sum.steps, sum.starts, sum.kills, sum.power_cuts, sum.refused, sum.sent_again, sum.records, sum.effects,
      given_up == 0 ? "" : fmt::format(" (effects of {} lives not looked at: the oracle gave up)", given_up));
  return kExitDone;
}

int Main(int argc, char** argv) {
  CLI::App app{"Live through crashes, power cuts and full disks in memory, and judge what comes out", "attune-simulate"};
  app.set_version_flag("--version", "attune-simulate " ATTUNE_VERSION);
  app.footer(
      "Examples:\n  attune-simulate --seeds 300\n  attune-simulate --seed 17 --trace\n"
      "\nExit codes: 0 every promise held, 1 one was broken, 2 the options are wrong");
  AddOptions(&app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitDone : kExitInvalid;
  }
  return Run();
}

}  // namespace
}  // namespace attune

int main(int argc, char** argv) { return attune::Main(argc, argv); }

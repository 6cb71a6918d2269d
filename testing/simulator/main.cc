// attune-simulate: lives of a runtime from seeds, see simulation.h.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

#include "base/progress.h"
#include "simulator/life_process.h"

namespace attune {
namespace {

// As `attune` has them.
constexpr int kExitDone = 0;
constexpr int kExitFailed = 1;
constexpr int kExitInvalid = 2;

// What a life may be about, by name.
const std::map<std::string, bool Subjects::*> kSubjects = {{"merges", &Subjects::merges},
                                                           {"plans", &Subjects::plans},
                                                           {"reads", &Subjects::reads},
                                                           {"letters", &Subjects::letters},
                                                           {"crowd", &Subjects::crowd}};

struct SimulateSettings {
  uint64_t seed = 1;
  uint64_t seeds = 1;
  std::vector<std::string> only;
  bool trace = false;
  bool lying_disk = false;
  bool any_work = false;
  bool keep_going = false;
} settings;

SimulationOptions OptionsOf(uint64_t seed) {
  SimulationOptions options;
  options.seed = seed;
  options.lying_disk = settings.lying_disk;
  options.any_work = settings.any_work;
  for (const std::string& name : settings.only) options.only.*kSubjects.at(name) = true;
  if (settings.trace) options.trace = [](const std::string& what) { fmt::print("{}\n", what); };
  return options;
}

std::string CommandOf(uint64_t seed) {
  std::string command = fmt::format("attune-simulate --seed {} --trace", seed);
  if (!settings.only.empty()) command += fmt::format(" --only {}", fmt::join(settings.only, ","));
  if (settings.lying_disk) command += " --lying-disk";
  if (settings.any_work) command += " --any-work";
  return command;
}

// With --keep-going only the first lines: what is expected and what is found.
std::string Shown(const std::string& failure) {
  return settings.keep_going ? failure.substr(0, failure.find("\n---")) : failure;
}

void PrintSum(const LifeCounts& sum, const std::map<Promise, uint64_t>& broken) {
  fmt::print(
      "{} lives: {} steps, {} starts, {} kills, {} power cuts, {} requests refused by a full or failed disk, {} records sent again; "
      "{} un-merges, {} of {} changes of the plan took place, {} letters kept, {} questions answered; ",
      settings.seeds, sum.steps, sum.starts, sum.kills, sum.power_cuts, sum.refused, sum.sent_again, sum.unmerges, sum.plans_entered,
      sum.plan_changes, sum.letters, sum.questions);
  for (const auto& [promise, lives] : broken) fmt::print("{} lives broke the promise \"{}\"; ", lives, NameOf(promise));
  fmt::print("{} records and {} effects are what they must be{}\n", sum.records, sum.effects,
             sum.gave_up == 0 ? "" : fmt::format(" (effects of {} lives not all looked at: the oracle gave up)", sum.gave_up));
  fmt::print("work: {} bytes read by loops, {} meetings, {} records read back\n", sum.loop_bytes_read, sum.meetings, sum.records_read_back);
}

void AddOptions(CLI::App* app) {
  app->add_option("--seed", settings.seed, "of the first life")->capture_default_str();
  app->add_option("--seeds", settings.seeds, "how many lives, each with the next seed")->check(CLI::Range(1, 1'000'000'000))->capture_default_str();
  app->add_option("--only", settings.only, "what all lives are about, instead of what their seeds draw: merges, plans, reads, letters, crowd")
      ->delimiter(',')
      ->check(CLI::IsMember({"merges", "plans", "reads", "letters", "crowd"}));
  app->add_flag("--trace", settings.trace, "print what happens");
  app->add_flag("--keep-going", settings.keep_going, "go on after a broken promise, and say how many lives broke which");
  app->add_flag("--any-work", settings.any_work, "do not bound the work that a life makes");
  app->add_flag("--lying-disk", settings.lying_disk, "the disk forgets what it was told to sync: what must be noticed");
}

int Run() {
  LifeCounts sum;
  std::map<Promise, uint64_t> broken;
  Progress progress("simulating");
  for (uint64_t i = 0; i < settings.seeds; ++i) {
    const uint64_t seed = settings.seed + i;
    const SimulationReport report = SimulateApart(OptionsOf(seed));
    sum.Add(report.counts);
    if (report.broken != Promise::kNone) {
      ++broken[report.broken];
      progress.Clear();
      fmt::print("{}\n", Shown(report.failure));
      fmt::print(stderr, "attune-simulate: a promise was broken; again, with what led to it: {}\n", CommandOf(seed));
      if (!settings.keep_going) return kExitFailed;
    }
    progress.Show(i + 1, settings.seeds, fmt::format("{} of {} lives", i + 1, settings.seeds));
  }
  progress.Clear();
  PrintSum(sum, broken);
  return broken.empty() ? kExitDone : kExitFailed;
}

int Main(int argc, char** argv) {
  CLI::App app{"Live through crashes, power cuts and full disks in memory, and judge what comes out", "attune-simulate"};
  app.set_version_flag("--version", "attune-simulate " ATTUNE_VERSION);
  app.footer(
      "Examples:\n  attune-simulate --seeds 300\n  attune-simulate --seed 17 --trace\n  attune-simulate --seeds 2000 --only merges,plans --keep-going\n"
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

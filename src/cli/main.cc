#include <CLI/CLI.hpp>
#include <csignal>

#include "cli/command.h"

namespace {

using attune::Command;

constexpr Command kCommands[] = {
    {"check", "Check a plan and print the bound on its state per user",
     "  attune check plan.yaml\n  attune check plans/ --strict\n", attune::CheckOptions, attune::RunCheck},
    {"serve", "Collector, engine and API in one process, on a store in a folder",
     "  attune serve --plan plan.yaml --data ./data\n  attune serve --plan plan.yaml --data ./data --listen 0.0.0.0:8080\n"
     "  attune serve --config attune.yaml\n"
     "Each flag is also a key of the file of --config (`keep_effects` for --keep-effects) and a variable (ATTUNE_KEEP_EFFECTS);\n"
     "a flag counts before a variable, and a variable before the file. `attune config` shows what is in force.\n",
     attune::ServeOptions, attune::RunServe},
    {"config", "What is in force for `serve`, as YAML: each setting, and where its value comes from; keys and secrets hidden",
     "  attune config --config attune.yaml\n  ATTUNE_LISTEN=0.0.0.0:8080 attune config --config attune.yaml --threads 2\n",
     attune::ConfigOptions, attune::RunConfig},
    {"replay", "Run a history through the engine that serves, as fast as it goes",
     "  attune replay --plan plan.yaml --events events.ndjson --out out\n"
     "  attune replay --plan plan.yaml --events clicks.csv.xz --csv mapping.yaml --out out --until 2026-04-01\n"
     "  zcat events.gz | attune replay --plan plan.yaml --events - --out out --order time\n",
     attune::ReplayOptions, attune::RunReplay},
    {"explain", "Why an expression says what it says of a user, as a tree",
     "  attune explain --data ./data ann high_intent_shopper\n"
     "  attune explain --data ./data ann 'count(add_to_cart[10m]) >= 5' --at 2026-03-01T10:05:00Z\n"
     "  ATTUNE_API_KEY=read attune explain --server http://127.0.0.1:8080 ann high_intent_shopper\n",
     attune::ExplainOptions, attune::RunExplain},
    {"suggest", "Thresholds of a metric that tell who reaches a goal, from a history",
     "  attune suggest --metric pages_this_session --goal purchase --data ./data\n"
     "  attune suggest --metric 'count(product_viewed[1d])' --goal 'purchase{total > 50}' --horizon 3d \\\n"
     "      --plan plan.yaml --events events.ndjson\n"
     "  ATTUNE_API_KEY=read attune suggest --metric carts --goal purchase --server http://127.0.0.1:8080\n",
     attune::SuggestOptions, attune::RunSuggest},
    {"export", "The events of a data folder as lines of JSON, for a replay or elsewhere",
     "  attune export --data ./data --out events.ndjson\n"
     "  attune export --data ./data --from 2026-03-01T00:00:00Z | gzip > march.ndjson.gz\n"
     "  attune export --data ./data --dead-letters\n"
     "  ATTUNE_API_KEY=read attune export --server http://127.0.0.1:8080 --dead-letters\n",
     attune::ExportOptions, attune::RunExport},
    {"verify", "Check every byte of a stopped server's data folder; with --repair, make it usable again",
     "  attune verify ./data\n  attune verify ./data --quick\n  attune verify ./data --repair\n", attune::VerifyOptions, attune::RunVerify},
    {"backup", "A copy of a data folder, taken beside the running server",
     "  attune backup --data ./data --out /backups/2026-03-01\n", attune::BackupOptions, attune::RunBackup},
    {"restore", "A data folder from a backup", "  attune restore /backups/2026-03-01 --data ./data\n", attune::RestoreOptions, attune::RunRestore},
    {"demo", "Serve a shipped shop, feed it a real clickstream, and say where to look",
     "  attune demo\n  attune demo --listen 127.0.0.1:8080\n", attune::DemoOptions, attune::RunDemo},
    {"bench", "The project's benchmarks, each checking its own result",
     "  attune bench\n  attune bench engine replay --json\n", attune::BenchOptions, attune::RunBench},
};

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed connection is an error of that connection, not of the process
  std::signal(SIGXFSZ, SIG_IGN);  // a file at its size limit is an error of the write
  CLI::App app{"attune: behavioural analytics and personalization, self-hosted", "attune"};
  app.set_version_flag("--version", "attune " ATTUNE_VERSION);
  app.require_subcommand(1);
  int code = attune::kExitDone;
  for (const Command& command : kCommands) {
    CLI::App* sub = app.add_subcommand(command.name, command.help);
    sub->footer(std::string("Examples:\n") + command.examples +
                "\nExit codes: 0 done, 1 failed, 2 the input or the plan is wrong");
    command.options(sub);
    sub->callback([&code, &command] { code = command.run(); });
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int parsed = app.exit(error);
    return parsed == 0 ? attune::kExitDone : attune::kExitInvalid;
  }
  return code;
}

// The table of subcommands: name, help, options, function.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace attune {

// Exit codes of every command.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitInvalid = 2;  // the input or the plan is invalid

// `options` adds the command's options to the parser; `run` executes the chosen command and returns the exit code.
struct Command {
  const char* name;
  const char* help;
  const char* examples;
  void (*options)(CLI::App* app);
  int (*run)();
};

void CheckOptions(CLI::App* app);
int RunCheck();
void ReplayOptions(CLI::App* app);
int RunReplay();
void ServeOptions(CLI::App* app);
int RunServe();
void ConfigOptions(CLI::App* app);
int RunConfig();
void ExplainOptions(CLI::App* app);
int RunExplain();
void SuggestOptions(CLI::App* app);
int RunSuggest();
void ExportOptions(CLI::App* app);
int RunExport();
void VerifyOptions(CLI::App* app);
int RunVerify();
void BackupOptions(CLI::App* app);
int RunBackup();
void RestoreOptions(CLI::App* app);
int RunRestore();
void DemoOptions(CLI::App* app);
int RunDemo();
void BenchOptions(CLI::App* app);
int RunBench();

// Prints `attune: message` to stderr and returns `code`.
int Complain(const std::string& message, int code);

}  // namespace attune

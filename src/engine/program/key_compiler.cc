// some(…) and top(…): compiles the program within.
#include <utility>

#include "engine/program/compiler.h"

namespace attune {

uint32_t Compiler::SharedKeys(const Expression& e) {
  const auto [place, inserted] = keys_.emplace(ToText(e), static_cast<uint32_t>(program_->keys.size()));
  if (inserted) AddKeys(e);
  return place->second;
}

uint32_t Compiler::AddKeys(const Expression& e) {
  KeySpec spec;
  spec.kind = e.kind;
  spec.field = Field(e.path);
  spec.listed = static_cast<uint32_t>(e.number);
  auto within = std::unique_ptr<Compiler>(new Compiler(this, spec.field));
  spec.root = within->Compile(*e.args[0]);
  spec.within = within->program_;
  program_->keys.push_back(std::move(spec));
  within_.push_back(std::move(within));
  return static_cast<uint32_t>(program_->keys.size() - 1);
}

NodeId Compiler::KeyedRoot(const Expression& some) {
  Node node;
  node.kind = Kind::kSome;
  node.index = AddKeys(some);
  return AddNode(std::move(node), {});
}

}  // namespace attune

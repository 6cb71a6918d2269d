// YAML with positions: each mistake in a plan has a file, line and column.
#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <string_view>
#include <vector>

#include "plan/plan.h"

namespace attune {

// One file of a plan.
class PlanSource {
 public:
  PlanSource(std::string file, std::string text, int index) : file_(std::move(file)), text_(std::move(text)), index_(index) {}

  const std::string& file() const { return file_; }
  const std::string& text() const { return text_; }

  // The file as YAML, with the positions of `text`. Throws yaml-cpp's exceptions.
  YAML::Node Load() const;

  // Where a node begins.
  Location At(const YAML::Node& node) const;
  // The position in the file of byte `offset` of a scalar's value, whatever quoting or folding the scalar uses.
  Location At(const YAML::Node& scalar, size_t offset) const;

 private:
  Location AtByte(size_t byte) const;

  std::string file_;
  std::string text_;
  int index_;
};

// The content of the YAML, independent of layout, quotes and comments. Different values never have the same text.
std::string NormalText(const YAML::Node& root);

}  // namespace attune

// SPDX-License-Identifier: Apache-2.0
#include "engine/hand_over.h"

#include <functional>
#include <optional>

#include "engine/values.h"
#include "model/graph_edit.h"
#include "model/save.h"
#include "model/walk.h"

namespace wattwise::engine {
namespace {

/// Below this a model is handed over as one buffer; above, large constants stay where they are.
constexpr uint64_t kLargeModelBytes = 16'000'000;
constexpr size_t kLargeConstantBytes = 16'384;

constexpr const char* kFolderEntry = "session.model_external_initializers_file_folder_path";
/// Never read: a value is handed over for whatever is said to lie there.
constexpr const char* kInMemory = "weights-in-memory";

/// Moves large `Constant` nodes of the main graph to its initializers, which the runtime can take
/// from memory as they are.
void lift_large_constants(model::Graph& graph) {
  std::erase_if(graph.nodes, [&](model::Node& node) {
    if (!node.is("Constant") || node.attributes.empty()) return false;
    auto* value = std::get_if<std::shared_ptr<model::Constant>>(&node.attributes[0].value);
    if (!value || (*value)->data.size() < kLargeConstantBytes) return false;
    model::Constant constant = **value;
    constant.name = node.outputs[0];
    graph.initializers.push_back(std::move(constant));
    return true;
  });
}

/// Where these bytes lie in the files.
std::optional<model::ExternalPlace> find_place(const std::vector<model::SourceFile>& files,
                                               const Bytes& bytes) {
  const std::less_equal<> before;  // also for pointers into different objects
  for (const model::SourceFile& file : files) {
    const std::byte* const begin = file.bytes.data();
    const std::byte* const end = begin + file.bytes.size();
    if (!before(begin, bytes.data()) || !before(bytes.data() + bytes.size(), end)) continue;
    return model::ExternalPlace{file_name(file.path), static_cast<uint64_t>(bytes.data() - begin)};
  }
  return std::nullopt;
}

}  // namespace

bool has_large_weights(const model::Model& model) {
  return model::weight_bytes(model) >= kLargeModelBytes;
}

std::vector<model::SourceFile> reachable_files(const Env& env, const model::Model& model) {
  std::vector<model::SourceFile> files;
  for (const model::SourceFile& file : model.sources) {
    const auto info = env.stat(file.path);
    const bool same = info && info->size_bytes == file.bytes.size() &&
                      info->modified_ns == file.modified_ns &&
                      parent_path(file.path) == parent_path(model.sources.front().path);
    if (same) files.push_back(file);
  }
  return files;
}

Result<std::string> hand_over(const model::Model& model,
                              const std::vector<model::SourceFile>& files,
                              OrtSessionOptions* options, HandedWeights& weights) {
  model::Model lean = model::clone(model);
  lift_large_constants(lean.graph);
  model::ExternalLayout layout;
  std::vector<const char*> names;
  std::vector<const OrtValue*> values;
  for (const model::Constant& constant : lean.graph.initializers) {
    if (constant.data.size() < kLargeConstantBytes) continue;
    const auto place = find_place(files, constant.data);
    layout[&constant] = place.value_or(model::ExternalPlace{kInMemory, 0});
    if (place) continue;
    weights.bytes.push_back(constant.data);
    weights.values.push_back(WATTWISE_TRY(wrap_tensor(constant.tensor_as_stored(), constant.name)));
    values.push_back(weights.values.back().get());
    names.push_back(constant.name.c_str());
  }
  if (!files.empty()) {
    const std::string folder = parent_path(files.front().path);
    WATTWISE_TRY(check(ort_api().AddSessionConfigEntry(options, kFolderEntry, folder.c_str()),
                       "look for weights in", folder));
  }
  WATTWISE_TRY(
      check(ort_api().AddExternalInitializers(options, names.data(), values.data(), values.size()),
            "take the weights of", "the model"));
  return model::serialize(lean, layout);
}

}  // namespace wattwise::engine

// SPDX-License-Identifier: Apache-2.0
#include "deploy/execution.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "device/process_memory.h"
#include "engine/block_session.h"
#include "model/constant_store.h"
#include "model/load.h"

namespace wattwise::deploy {

std::optional<std::string> too_large_to_run(Context& context, uint64_t weight_bytes) {
  const double needed = 2 * static_cast<double>(weight_bytes);
  const double allowed =
      context.resolved().config.memory_optimization.max_preparation_mb * 1'000'000;
  const auto explain = [&](double bytes, const char* source) {
    return fmt::format(
        "running it takes about {}, {} is {}: models run in blocks of nodes, never as "
        "a whole",
        format_bytes(static_cast<uint64_t>(needed)), source,
        format_bytes(static_cast<uint64_t>(bytes)));
  };
  if (needed > allowed) return explain(allowed, "memory_optimization.max_preparation_mb");
  const auto available = device::available_bytes(context.env());
  if (!available || needed <= static_cast<double>(*available)) return std::nullopt;
  return explain(static_cast<double>(*available), "the memory that the system has left");
}

Result<std::unique_ptr<engine::Session>> open_file(Context& context, const std::string& path,
                                                   bool in_blocks,
                                                   const engine::SessionOptions& options) {
  Env& env = context.env();
  auto runtime = WATTWISE_TRY(context.runtime());
  // By its path: the runtime reads the file itself, so that pages mapped here stay untouched.
  if (!in_blocks) return engine::open_session(runtime, env, path, options);
  model::Model model = WATTWISE_TRY(model::load(env, path));
  model.store = std::make_shared<model::ConstantStore>(env, parent_path(path));
  for (const auto& file : model.sources) model.store->add_source(file.bytes);
  return engine::open_block_session(runtime, env, model, options);
}

std::string describe_execution(const engine::Session& session) {
  const auto blocks = session.block_count();
  if (!blocks) return "whole";
  const size_t left_out = session.stood_in().size();
  return fmt::format("block by block, {} blocks{}", *blocks,
                     left_out == 0 ? "" : fmt::format(", {} values not computed", left_out));
}

}  // namespace wattwise::deploy

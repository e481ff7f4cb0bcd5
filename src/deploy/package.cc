// SPDX-License-Identifier: Apache-2.0
#include "deploy/package.h"

#include <fmt/format.h>

#include "core/text.h"
#include "deploy/execution.h"
#include "deploy/to_json.h"
#include "engine/session.h"
#include "model/save.h"
#include "targets/bundle.h"

namespace wattwise::deploy {

Result<void> write_target_bundle(Context& context, const config::Resolved& resolved,
                                 const BundleContent& content, PrepareResult& result) {
  Env& env = context.env();
  const std::string& target_id = resolved.config.deployment_target;
  std::vector<std::pair<std::string, std::string>> templates;
  if (const auto it = context.tables().templates.find(target_id);
      it != context.tables().templates.end()) {
    templates.assign(it->second.begin(), it->second.end());
  }
  const std::string model_path = content.staging.path(file_name(result.output_model_path));
  const auto session = WATTWISE_TRY(open_file(context, model_path, content.in_blocks, {}));
  targets::BundleRequest request{context.target(resolved), templates, model_path,
                                 content.companions,       {},        session->inputs(),
                                 session->outputs(),       {},        {}};
  const std::string data = model::data_file_of(model_path);
  if (env.stat(data)) request.companion_files.push_back(data);
  request.facts = bundle_facts(result);
  request.golden_inputs = content.samples.inputs.front();
  request.golden_outputs = WATTWISE_TRY(session->run(request.golden_inputs));
  const std::string name =
      fmt::format("{}_{}_bundle", file_stem(result.output_model_path), to_lower(target_id));
  const auto manifest =
      WATTWISE_TRY(targets::write_bundle(env, request, content.staging.path(name)));
  result.bundle_path = join_path(parent_path(result.output_model_path), name);
  context.logger().log(LogLevel::kDebug, "deploy", "bundle written",
                       field("path", result.bundle_path), field("files", manifest.size()));
  return {};
}

}  // namespace wattwise::deploy

// SPDX-License-Identifier: Apache-2.0
#include "targets/bundle.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>

#include "core/atomic_file.h"
#include "core/mapped_pieces.h"
#include "input/array_file.h"

namespace wattwise::targets {
namespace {

constexpr int kManifestVersion = 1;

Result<std::string> sha256(const Env& env, const Bytes& content) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  WATTWISE_TRY(visit_pieces(env, content, [&](std::span<const std::byte> piece) -> Result<void> {
    EVP_DigestUpdate(context.get(), piece.data(), piece.size());
    return {};
  }));
  EVP_DigestFinal_ex(context.get(), digest.data(), &size);
  std::string out;
  for (unsigned int i = 0; i < size; ++i) out += fmt::format("{:02x}", digest[i]);
  return out;
}

/// Replaces each {{name}} by the variable's value.
Result<std::string> fill_template(const std::string& name, const std::string& text,
                                  const Json& variables) {
  std::string out;
  size_t at = 0;
  for (size_t open = text.find("{{"); open != std::string::npos; open = text.find("{{", at)) {
    const size_t close = text.find("}}", open);
    const auto line =
        std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(open), '\n') + 1;
    const std::string key =
        close == std::string::npos ? "" : text.substr(open + 2, close - open - 2);
    if (key.empty() || !variables.contains(key)) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("the template {} uses the unknown variable \"{}\" in line {}", name,
                               key, line));
    }
    const Json& value = variables[key];
    out += text.substr(at, open - at);
    out += value.is_string() ? value.get<std::string>() : write_json(value);
    at = close + 2;
  }
  return out + text.substr(at);
}

Result<void> copy_file(Env& env, const std::string& from, const std::string& to) {
  const Bytes content = WATTWISE_TRY(env.map_file(from));
  auto file = WATTWISE_TRY(AtomicFile::create(env, to));
  WATTWISE_TRY(visit_pieces(env, content,
                            [&](std::span<const std::byte> piece) { return file.append(piece); }));
  return file.commit();
}

Json describe_ports(const std::vector<PortInfo>& ports) {
  Json out = Json::array();
  for (const PortInfo& port : ports) {
    out.push_back(
        {{"name", port.name}, {"type", data_type_name(port.type)}, {"shape", port.shape}});
  }
  return out;
}

/// A name that is safe as a file's: "Identity:0" becomes "Identity_0".
std::string file_safe(std::string name) {
  std::replace_if(
      name.begin(), name.end(),
      [](unsigned char c) { return std::isalnum(c) == 0 && c != '_' && c != '-' && c != '.'; },
      '_');
  return name;
}

Result<Json> write_golden(Env& env, const std::string& folder, const char* kind,
                          const TensorMap& tensors) {
  Json files = Json::object();
  for (const auto& [name, tensor] : tensors) {
    if (tensor.type == DataType::kString) continue;
    const std::string file = fmt::format("golden/{}_{}.npy", kind, file_safe(name));
    WATTWISE_TRY(env.create_directories(join_path(folder, "golden")));
    WATTWISE_TRY(input::write_npy(env, join_path(folder, file), tensor));
    files[name] = file;
  }
  return files;
}

Result<void> add_files(Env& env, const std::string& folder, const std::string& inside,
                       Json& files) {
  for (const std::string& name : WATTWISE_TRY(env.list_directory(join_path(folder, inside)))) {
    const std::string path = inside.empty() ? name : inside + "/" + name;
    const auto info = env.stat(join_path(folder, path));
    if (info && info->is_directory) {
      WATTWISE_TRY(add_files(env, folder, path, files));
      continue;
    }
    const Bytes content = WATTWISE_TRY(env.map_file(join_path(folder, path)));
    files[path] = {{"size_bytes", content.size()}, {"sha256", WATTWISE_TRY(sha256(env, content))}};
  }
  return {};
}

Result<void> write_templates(Env& env, const BundleRequest& request, const Json& variables,
                             const std::string& folder) {
  const Json templates = request.target.value("files", Json::object());
  for (const auto& [source, output] : templates.items()) {
    const auto is_source = [&name = source](const auto& entry) { return entry.first == name; };
    const auto it = std::find_if(request.templates.begin(), request.templates.end(), is_source);
    if (it == request.templates.end()) {
      return Error(ErrorCode::kCorrupt,
                   fmt::format("the target names the template {}, which is not there", source));
    }
    const std::string text = WATTWISE_TRY(fill_template(source, it->second, variables));
    WATTWISE_TRY(write_file_atomically(env, join_path(folder, output.get<std::string>()), text));
  }
  return {};
}

Json template_variables(const BundleRequest& request) {
  Json variables = {{"model_file", file_name(request.model_path)},
                    {"target", request.target.value("id", "")},
                    {"runtime", request.target.value("runtime", "")},
                    {"inputs", describe_ports(request.inputs)},
                    {"outputs", describe_ports(request.outputs)}};
  variables["quantization_method"] = request.facts.value("quantization_method", "");
  return variables;
}

Result<Json> fill_folder(Env& env, const BundleRequest& request, const std::string& folder) {
  WATTWISE_TRY(
      copy_file(env, request.model_path, join_path(folder, file_name(request.model_path))));
  for (const std::string& companion : request.companion_files) {
    WATTWISE_TRY(copy_file(env, companion, join_path(folder, file_name(companion))));
  }
  WATTWISE_TRY(write_templates(env, request, template_variables(request), folder));
  Json manifest = {{"schema_version", kManifestVersion},
                   {"target", request.target.value("id", "")},
                   {"runtime", request.target.value("runtime", "")},
                   {"model_file", file_name(request.model_path)},
                   {"inputs", describe_ports(request.inputs)},
                   {"outputs", describe_ports(request.outputs)}};
  manifest["golden_inputs"] =
      WATTWISE_TRY(write_golden(env, folder, "input", request.golden_inputs));
  manifest["golden_outputs"] =
      WATTWISE_TRY(write_golden(env, folder, "output", request.golden_outputs));
  manifest["claims"] = request.target.value("claims", Json::object());
  manifest["claims"][file_name(request.model_path)] =
      "executed by ONNX Runtime on the build machine";
  for (const auto& [key, value] : request.facts.items()) manifest[key] = value;
  Json files = Json::object();
  WATTWISE_TRY(add_files(env, folder, "", files));
  manifest["files"] = files;
  WATTWISE_TRY(write_file_atomically(env, join_path(folder, "manifest.json"),
                                     write_json(manifest, 2) + "\n"));
  return manifest;
}

}  // namespace

Result<Json> write_bundle(Env& env, const BundleRequest& request, const std::string& folder) {
  WATTWISE_TRY(env.create_directories(folder));
  auto manifest = fill_folder(env, request, folder);
  if (manifest) return manifest;
  // The first error is the one that counts.
  [[maybe_unused]] const auto ignored = env.remove(folder);
  return std::move(manifest).error().with_context("writing the bundle " + file_name(folder));
}

}  // namespace wattwise::targets

// SPDX-License-Identifier: Apache-2.0
#include "core/temporary_folder.h"

namespace wattwise {

Result<std::unique_ptr<TemporaryFolder>> TemporaryFolder::create(Env& env) {
  std::string path = WATTWISE_TRY(env.make_temp_directory());
  return std::unique_ptr<TemporaryFolder>(new TemporaryFolder(env, std::move(path)));
}

TemporaryFolder::~TemporaryFolder() {
  // A destructor has no one to tell; the system clears its folder of temporary files.
  [[maybe_unused]] const auto ignored = env_.remove(path_);
}

}  // namespace wattwise
